import Foundation
import TestSupport
import Testing

/// Somebody else pushes between the agent's fetch and its push.
@Suite(.tags(.endToEnd)) struct RaceTests {
    /// A hook that commits to the branch itself, the first `count` times that somebody pushes.
    private func installRival(_ loop: Loop, times: Int, change: String) throws {
        let hook = """
            #!/bin/sh
            n=$(cat "$GIT_DIR/rival" 2>/dev/null || echo 0)
            [ "$n" -lt \(times) ] || exit 0
            echo $((n + 1)) > "$GIT_DIR/rival"
            unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
            export GIT_AUTHOR_NAME=Rival GIT_AUTHOR_EMAIL=r@example.com GIT_COMMITTER_NAME=Rival GIT_COMMITTER_EMAIL=r@example.com
            export GIT_INDEX_FILE="$GIT_DIR/rival-index"
            git read-tree master
            \(change)
            commit=$(git commit-tree -p master -m "Rival $n" "$(git write-tree)")
            git update-ref refs/heads/master "$commit"
            """
        let path = loop.repository.path + "/hooks/pre-receive"
        try Data(hook.utf8).write(to: URL(fileURLWithPath: path))
        try Shell.run(["chmod", "+x", path])
    }

    private static let addFile = """
        blob=$(echo "rival $n" | git hash-object -w --stdin)
        git update-index --add --cacheinfo "100644,$blob,rival-$n.txt"
        """

    @Test func `the race is run again on the new head`() async throws {
        let loop = try Loop("race")
        let server = try await GitHTTPServer(directory: loop.scratch.path)
        defer { server.stop() }
        try installRival(loop, times: 2, change: Self.addFile)
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let output = try loop.sync(images, url: server.url + "/kaniko-site.git")
        #expect(output.stderr.contains("Lost the race"))
        let subjects = try loop.repository.git("log", "--format=%s", "master").split(separator: "\n")
        #expect(subjects == ["Auto-release exampleorg/site:v4", "Rival 1", "Rival 0", "Initial commit"])
        let diff = try Shell.run(["git", "-C", loop.repository.path, "diff", "master~1", "master"]).stdout
        #expect(try diff == String(contentsOfFile: Loop.expectedDiff, encoding: .utf8))
        try loop.repository.checkIntegrity()
    }

    @Test func `a person's edit of the same line wins`() async throws {
        let loop = try Loop("person")
        let server = try await GitHTTPServer(directory: loop.scratch.path)
        defer { server.stop() }
        try installRival(
            loop, times: 1,
            change: """
                blob=$(git show master:workloads/site-deployment.yaml | sed 's/site:v3/site:v2-hotfix/' | git hash-object -w --stdin)
                git update-index --cacheinfo "100644,$blob,workloads/site-deployment.yaml"
                """)
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let output = try loop.sync(images, url: server.url + "/kaniko-site.git")
        #expect(output.stderr.contains("somebody changed it meanwhile"))
        #expect(
            try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v2-hotfix"))
    }
}
