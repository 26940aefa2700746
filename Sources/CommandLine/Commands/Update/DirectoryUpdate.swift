import Agent
import Blocking
import Diagnostics
import FileSystem
import Glibc
import ManifestUpdater
import YAML

/// The rewriter on a plain directory: every file of it that can hold manifests, read, changed and put back whole.
struct DirectoryUpdate: Sendable {
    struct Outcome: Sendable {
        var files: [String] = []
        var changes: [ManifestChange] = []
        var skipped: [ManifestSkip] = []
        var diff = ""
        var met: Set<String> = []
        /// Files that could not be written, with the reason.
        var failures: [(file: String, reason: String)] = []
    }

    let path: String
    let request: UpdateRequest
    let writes: Bool
    let wantsDiff: Bool

    private static let depthLimit = 100

    init(path: String, request: UpdateRequest, writes: Bool, wantsDiff: Bool) {
        self.path = path
        self.request = request
        self.writes = writes
        self.wantsDiff = wantsDiff
    }

    /// Works on the files side by side; the outcome is in the order of their paths.
    ///
    /// - Throws: when the directory cannot be listed.
    func run() async throws(AgentError) -> Outcome {
        let path = path
        let listed: (root: Directory, files: [String], skipped: [ManifestSkip])
        do throws(FileSystemError) {
            listed = try await runBlocking { () throws(FileSystemError) in
                var skipped: [ManifestSkip] = []
                var files: [String] = []
                let root = try Directory(path: path)
                try Self.list(root, "", depth: 0, into: &files, &skipped)
                return (root, files, skipped)
            }
        } catch {
            throw AgentError(
                error.summary, place: error.place ?? path, cause: error.cause,
                hint: error.hint ?? "name a directory that can be read")
        }
        let (root, files, skipped) = listed
        let (request, problem) = await runBlocking {
            self.withRules(self.withAdditions(in: root, files), in: root, files)
        }
        let outcomes = await mapBlocking(files) { self.update($0, request, in: root) }
        var outcome = Outcome()
        for one in outcomes {
            outcome.files += one.files
            outcome.changes += one.changes
            outcome.skipped += one.skipped
            outcome.diff += one.diff
            outcome.met.formUnion(one.met)
            outcome.failures += one.failures
        }
        outcome.skipped += skipped + (problem.map { [$0] } ?? [])
        outcome.skipped = outcome.skipped.enumerated().sorted {
            ($0.element.file, $0.offset) < ($1.element.file, $1.offset)
        }.map(\.element)
        return outcome
    }

    /// The files in the order in which their paths sort.
    private static func list(
        _ directory: Directory, _ prefix: String, depth: Int, into files: inout [String],
        _ skipped: inout [ManifestSkip]
    ) throws(FileSystemError) {
        for entry in try directory.entries() {
            let name = String(decoding: entry.name, as: UTF8.self)
            let path = prefix + name
            var type = entry.type
            if type == nil { type = try? directory.status(entry.name).type }
            switch type {
            case .directory:
                if name == ".git" { continue }
                guard Array(name.utf8) == entry.name else {
                    skipped.append(ManifestSkip(file: path, reason: "the directory's name is not UTF-8"))
                    continue
                }
                guard depth < depthLimit else {
                    skipped.append(ManifestSkip(file: path, reason: "nested deeper than \(depthLimit) directories"))
                    continue
                }
                do throws(FileSystemError) {
                    let folder = try directory.directory(entry.name)
                    try list(folder, path + "/", depth: depth + 1, into: &files, &skipped)
                } catch {
                    skipped.append(ManifestSkip(file: path, reason: error.cause ?? error.summary))
                }
            case .file:
                guard UpdateRequest.isManifest(name) else { continue }
                if Array(name.utf8) == entry.name {
                    files.append(path)
                } else {
                    skipped.append(ManifestSkip(file: path, reason: "the file's name is not UTF-8"))
                }
            case .symlink:
                if UpdateRequest.isManifest(name) {
                    skipped.append(
                        ManifestSkip(
                            file: path,
                            reason:
                                "a symbolic link is not followed; a target inside the directory is updated where it lies"
                        ))
                }
            default: break
            }
        }
    }

    /// Images that no kustomization has go into the one at the top, as `kustomize edit set image` adds them.
    private func withAdditions(in root: Directory, _ files: [String]) -> UpdateRequest {
        var request = request
        let top = files.first { ["kustomization.yaml", "kustomization.yml", "Kustomization"].contains($0) }
        guard !request.kustomizeImages.isEmpty, let top else { return request }
        var search = UpdateRequest()
        search.kustomizeImages = request.kustomizeImages
        var met: Set<String> = []
        for file in files where UpdateRequest.isKustomization(file) {
            guard let handle = try? root.openFile(file, flags: O_RDONLY | O_NOFOLLOW),
                let bytes = try? handle.readAll(limit: UpdateRequest.sizeLimit)
            else { continue }
            met.formUnion(ManifestUpdater.update(bytes, file: file, request: search).met)
        }
        for number in request.kustomizeImages.indices
        where !met.contains(UpdateRequest.key(ofKustomizeImage: number)) {
            request.kustomizeAdditions[number] = top
        }
        return request
    }

    /// What the repository's own file says of custom resources, or why that is not known.
    private func withRules(
        _ request: UpdateRequest, in root: Directory, _ files: [String]
    ) -> (UpdateRequest, ManifestSkip?) {
        let path = RepositoryFile.path
        guard !request.workloads.isEmpty, files.contains(path),
            let handle = try? root.openFile(path, flags: O_RDONLY | O_NOFOLLOW),
            let bytes = try? handle.readAll(limit: UpdateRequest.sizeLimit)
        else { return (request, nil) }
        var request = request
        do throws(YAMLError) {
            request.rules = try RepositoryFile(bytes).images
            return (request, nil)
        } catch {
            return (
                request,
                ManifestSkip(
                    file: path, line: error.location?.line,
                    reason: "no images of custom resources are known: \(error.summary)")
            )
        }
    }

    private func update(_ file: String, _ request: UpdateRequest, in root: Directory) -> Outcome {
        var outcome = Outcome()
        let bytes: [UInt8]
        let status: FileStatus
        do throws(FileSystemError) {
            let handle = try root.openFile(file, flags: O_RDONLY | O_NOFOLLOW)
            status = try handle.status()
            guard status.size <= UInt64(UpdateRequest.sizeLimit) else {
                outcome.skipped = [
                    ManifestSkip(
                        file: file,
                        reason: "\(status.size) bytes: YAML files of up to \(UpdateRequest.sizeLimit) bytes are read"
                    )
                ]
                return outcome
            }
            bytes = try handle.readAll(limit: UpdateRequest.sizeLimit)
        } catch {
            outcome.skipped = [ManifestSkip(file: file, reason: error.cause ?? error.summary)]
            return outcome
        }
        let update = ManifestUpdater.update(bytes, file: file, request: request)
        outcome.skipped = update.skipped
        outcome.met = update.met
        guard let new = update.bytes else { return outcome }
        if writes {
            do throws(FileSystemError) {
                if try !Self.overwrite(file, bytes, new, update.splices, status, in: root) {
                    try Self.replace(file, with: new, like: status, in: root)
                }
            } catch {
                outcome.failures = [(file, error.cause ?? error.summary)]
                return outcome
            }
        }
        outcome.files = [file]
        outcome.changes = update.changes
        if wantsDiff { outcome.diff = UnifiedDiff.text(path: file, old: bytes, new: new, splices: update.splices) }
        return outcome
    }

    /// Writes a change that moves nothing where it belongs, when all of it lies in one page of the file: such a write comes
    /// whole or not at all, and costs a fraction of a new file.
    ///
    /// - Returns: `false` when the file has to be replaced.
    private static func overwrite(
        _ file: String, _ old: [UInt8], _ new: [UInt8], _ splices: [Splice], _ status: FileStatus, in root: Directory
    ) throws(FileSystemError) -> Bool {
        // Another name of the file, in a copy by links say, keeps what it has.
        guard status.nlink == 1, old.count == new.count, !splices.isEmpty,
            splices.allSatisfy({ $0.range.count == $0.bytes.count })
        else { return false }
        let start = splices.map(\.range.lowerBound).min() ?? 0
        let end = splices.map(\.range.upperBound).max() ?? 0
        guard start < end, start / pageSize == (end - 1) / pageSize,
            let handle = try? root.openFile(file, flags: O_WRONLY | O_NOFOLLOW)
        else { return false }
        // Somebody may have written to it since it was read.
        guard let now = try? handle.status(), now.inode == status.inode, now.size == status.size,
            now.mtime == status.mtime
        else { return false }
        let written = new.withUnsafeBytes {
            pwrite(handle.fd, $0.baseAddress.map { $0 + start }, end - start, off_t(start))
        }
        guard written == end - start else {
            if written < 0 { return false }
            throw FileSystemError("write the file", path: file, code: EIO)
        }
        return true
    }

    private static let pageSize = 4096

    /// Puts a file's new content in its place at once, with the old one's mode and, where it may be set, owner.
    private static func replace(
        _ file: String, with bytes: [UInt8], like status: FileStatus, in root: Directory
    ) throws(FileSystemError) {
        let slash = file.lastIndex(of: "/")
        let folder = slash.map { String(file[...$0]) } ?? ""
        let name = slash.map { String(file[file.index(after: $0)...]) } ?? file
        let temporary = "\(folder).\(name.prefix(100)).\(UInt64.random(in: .min ... .max)).tmp"
        do throws(FileSystemError) {
            let handle = try root.openFile(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            try handle.write(all: bytes)
            // Owners first: a change of owner takes setuid bits away.
            if status.uid != geteuid() || status.gid != getegid() { _ = fchown(handle.fd, status.uid, status.gid) }
            guard fchmod(handle.fd, mode_t(status.mode)) == 0 else {
                throw FileSystemError("set the mode of the file", path: file, code: errno)
            }
            // Exchanged rather than renamed over: ext4 writes a file that takes another one's place to the disk at once,
            // which makes thousands of small files slow. Whoever looks sees the old or the new file, as with a rename.
            if try root.exchange(temporary, file) {
                try root.remove(temporary)
            } else {
                try root.rename(temporary, to: file)
            }
        } catch {
            try? root.remove(temporary)
            throw error
        }
    }
}
