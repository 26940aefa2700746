import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct KanikoArgumentsTests {
    @Test func `every way to write a flag`() throws {
        let arguments = try KanikoArguments(parsing: [
            "--context=dir:///workspace", "-f", "docker/Dockerfile", "-d=acme/a:1", "--destination", "acme/b:1",
            "--build-arg", "MESSAGE=two words", "--build-arg=EMPTY=", "--cache", "--cache=false", "-vdebug",
            "--target=release",
        ])
        #expect(arguments.context == "dir:///workspace")
        #expect(arguments.dockerfile == "docker/Dockerfile")
        #expect(arguments.destinations == ["acme/a:1", "acme/b:1"])
        #expect(
            arguments.buildArguments == [
                BuildArgument(name: "MESSAGE", value: "two words"), BuildArgument(name: "EMPTY", value: ""),
            ])
        #expect(arguments.target == "release")
        #expect(arguments.notes.isEmpty)
    }

    @Test func `transport security is not the repository's to lower`() throws {
        let arguments = try KanikoArguments(parsing: ["--insecure", "--skip-tls-verify=false", "--insecure-registry=r"])
        #expect(arguments.notes.count == 2)
        #expect(arguments.notes[0].contains("--insecure is not taken"))
    }

    @Test(arguments: [
        (["--no-such-flag"], "unknown executor flag '--no-such-flag'"),
        (["stray"], "is no flag"),
        (["--destination"], "has no value"),
        (["--build-arg", "TOKEN"], "takes its value from the pod's environment"),
        (["--single-snapshot"], "not supported"),
        (["--cache=perhaps"], "neither true nor false"),
    ])
    func `refused`(arguments: [String], reason: String) {
        let error = #expect(throws: KanikoArguments.Refusal.self) { try KanikoArguments(parsing: arguments) }
        #expect(error?.reason.contains(reason) == true)
    }
}

@Suite(.tags(.unit)) struct PodFilesTests {
    private func files(_ known: Set<String> = ["docker/Dockerfile"]) -> PodFiles {
        PodFiles(exists: { known.contains($0) }, isSameRepository: { $0.contains("acme/shop") })
    }

    @Test func `a downloaded Dockerfile`() {
        var files = files()
        files.learn(
            command: [
                "sh", "-c",
                "curl -k -o /workspace/Dockerfile https://raw.example.com/acme/shop/master/docker/Dockerfile",
            ], workingDirectory: nil)
        #expect(files.downloads == ["/workspace/Dockerfile": "docker/Dockerfile"])
    }

    @Test(arguments: [
        (["git", "clone", "https://git.example.com/acme/shop.git", "/workspace"], "/workspace"),
        (["clone", "--depth", "1", "--branch=main", "https://git.example.com/acme/shop.git", "--", "/src"], "/src"),
        (["sh", "-c", "cd /work && git clone https://git.example.com/acme/shop.git && ls"], "/work/shop"),
        (["/bin/sh", "-ec", "set -x; git clone 'https://git.example.com/acme/shop.git' \"/w s\""], "/w s"),
    ])
    func `a clone`(command: [String], path: String) {
        var files = files()
        files.learn(command: command, workingDirectory: nil)
        #expect(files.checkouts.map(\.path) == [path])
    }

    @Test func `a clone of something else is not taken for this repository`() {
        var files = files()
        files.learn(
            command: ["git", "clone", "https://git.example.com/other/thing", "/workspace"], workingDirectory: nil)
        #expect(files.checkouts.isEmpty)
        #expect(files.foreign == ["/workspace": "https://git.example.com/other/thing"])
    }

    @Test(
        arguments: [
            ("/workspace/a/../b/./c", "/workspace", "b/c"), ("/workspace", "/workspace/", ""), ("/x", "/", "x"),
            ("/workspaces", "/workspace", nil), ("/../../etc", "/", "etc"),
        ] as [(String, String, String?)])
    func `paths below a directory`(path: String, directory: String, expected: String?) {
        #expect(PodFiles.relative(path, to: directory) == expected)
    }
}
