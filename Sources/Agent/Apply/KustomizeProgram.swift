import Blocking
import Cluster
import FileSystem
import Git
import Glibc
import JSON
import Text
import YAML

/// `kubectl kustomize`, where it is installed, over files of a revision.
///
/// It gets a copy of what is below the nearest common directory and nothing of the network: a kustomization that names a remote base is
/// refused before, because kustomize would fetch it with the agent's credentials.
struct KustomizeProgram: Sendable {
    /// Directories of programs.
    let searchPath: String
    /// Where copies are made for a moment.
    let scratch: String

    private static let sizeLimit: Int64 = 64 << 20

    /// What the kustomization in a directory makes.
    func build(_ root: String, of tree: RevisionTree, from remote: any GitRemote) async throws(AgentError) -> [UInt8] {
        guard let kubectl = ChildProcess.find("kubectl", in: searchPath) else {
            throw AgentError(
                "a kustomization needs kubectl", place: root.isEmpty ? "." : root,
                cause: "it is in no directory of PATH",
                hint: "install kubectl where the agent runs, or apply a directory without a kustomization")
        }
        let files = try await self.files(of: tree, from: remote)
        let scratch = scratch
        return try await runBlocking { () throws(AgentError) in
            try Self.run(kubectl, on: root, with: files, in: scratch)
        }
    }

    /// All files that a kustomization may name: manifests and what generators read. Large ones are no part of either.
    private func files(
        of tree: RevisionTree, from remote: any GitRemote
    ) async throws(AgentError) -> [File] {
        let entries = tree.entries.filter { $0.mode == .file || $0.mode == .executable }
        let read = await remote.read(entries, limit: 1 << 20) { entry, content in
            (path: entry.path, content: try? content.get())
        }
        var size: Int64 = 0
        var files: [File] = []
        for case (let path, let content?) in read {
            size += Int64(content.count)
            guard size <= Self.sizeLimit else {
                throw AgentError(
                    "the repository is too large for a kustomization", place: path,
                    cause: "at most \(Self.sizeLimit >> 20) MiB of files are copied for it",
                    hint: "keep manifests in a repository of their own")
            }
            if path.hasSuffix("kustomization.yaml") || path.hasSuffix("kustomization.yml")
                || path.hasSuffix("Kustomization")
            {
                try refuseRemotes(content, path)
            }
            files.append(File(path: path, content: content))
        }
        return files
    }

    private func refuseRemotes(_ content: [UInt8], _ path: String) throws(AgentError) {
        guard let root = (try? YAMLStream.parse(content, file: path))?.first?.root, let value = JSONValue(root) else {
            return
        }
        let named =
            ["resources", "bases", "components", "crds"].flatMap { value[$0].items } + value["helmCharts"].items
        for reference in named.map({ $0.text ?? $0["repo"].text ?? "" }) where Self.isRemote(reference) {
            throw AgentError(
                "a kustomization with a remote base is not applied", place: path,
                cause: "it names \(printable(reference))", hint: "copy the base into the repository")
        }
    }

    /// What kustomize fetches: a URL, an SSH address, `host.name/owner/repository`, anything with `?ref=` or `.git`.
    static func isRemote(_ reference: String) -> Bool {
        if reference.contains("://") || reference.contains("::") || reference.contains("?") { return true }
        if reference.contains("@") && reference.contains(":") { return true }
        let parts = reference.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, first != ".", first != "..", parts.count > 1 else { return false }
        return ["github.com", "gitlab.com", "bitbucket.org"].contains(String(first)) || reference.contains(".git/")
            || reference.hasSuffix(".git")
    }

    private static func run(
        _ kubectl: String, on root: String, with files: [File], in scratch: String
    ) throws(AgentError) -> [UInt8] {
        let folder = "\(scratch)/kustomize-\(UInt64.random(in: .min ... .max))"
        defer { try? removeTree(folder) }
        do throws(FileSystemError) {
            let directory = try Directory.create(path: folder, mode: 0o700)
            for file in files { try file.write(to: directory, at: folder) }
        } catch {
            throw AgentError("no copy can be made for kustomize", place: error.place, cause: error.cause)
        }
        // Neither credentials nor a proxy of the network.
        var process = ChildProcess(
            kubectl, ["kustomize", root.isEmpty ? folder : "\(folder)/\(root)"],
            environment: ["PATH=/nonexistent", "HOME=\(folder)"])
        process.outputLimit = 64 << 20
        let result: ChildProcess.Result
        do throws(ChildProcess.Failure) {
            result = try process.run()
        } catch {
            throw AgentError("kubectl kustomize failed", place: root.isEmpty ? "." : root, cause: error.words)
        }
        guard result.status == 0 else {
            let said = String(decoding: result.errors.suffix(2_000), as: UTF8.self).replacing("\(folder)/", with: "")
            throw AgentError(
                "kubectl kustomize failed", place: root.isEmpty ? "." : root, cause: printable(said, limit: 1_000))
        }
        return result.output
    }
}

extension KustomizeProgram {
    /// A file of the revision.
    struct File: Sendable {
        let path: String
        let content: [UInt8]

        fileprivate func write(to directory: Directory, at folder: String) throws(FileSystemError) {
            if let slash = path.lastIndex(of: "/") {
                try directory.makeDirectories(String(path[..<slash]), mode: 0o700)
            }
            try FileHandle(path: "\(folder)/\(path)", flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                .write(all: content)
        }
    }
}

extension ChildProcess.Failure {
    /// For a reason within a sentence.
    var words: String {
        switch self {
        case .notStarted(let reason): reason
        case .tookTooLong: "it took too long"
        case .printedTooMuch: "it printed too much"
        }
    }
}
