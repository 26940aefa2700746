import ManifestUpdater

/// Where the files of a build pod come from, in terms of the repository.
///
/// A kaniko pod sees directories: a volume that an init container filled by `git clone` or by downloading single files,
/// a `gitRepo` volume, or a claim that somebody filled by hand. Building without the pod needs the way back from such a
/// path to the repository.
package struct PodFiles: Sendable {
    /// A directory of the pod that holds the repository, or a directory of it.
    struct Checkout: Sendable, Equatable {
        var path: String
        /// The directory of the repository; empty for its root.
        var directory = ""
        /// The branch, tag or commit that is checked out; `nil`: the default branch.
        var revision: String?
    }

    private(set) var checkouts: [Checkout] = []
    /// Single files of the pod that were downloaded from the repository: pod path → repository path.
    private(set) var downloads: [String: String] = [:]
    /// Clones of something else, by directory.
    private(set) var foreign: [String: String] = [:]

    private let exists: @Sendable (String) -> Bool
    private let isSameRepository: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - exists: whether the repository holds a file at a path.
    ///   - isSameRepository: whether a URL names the repository that is worked on.
    package init(exists: @escaping @Sendable (String) -> Bool, isSameRepository: @escaping @Sendable (String) -> Bool) {
        self.exists = exists
        self.isSameRepository = isSameRepository
    }

    private static let separators: Set<String> = ["&&", "||", ";", "|", "&"]

    /// Reads what another container of the pod puts into the volumes that it shares with `container`.
    mutating func learn(_ other: PodContainer, for container: PodContainer) {
        let environment = ContainerEnvironment(other)
        var own = PodFiles(exists: exists, isSameRepository: isSameRepository)
        own.learn(
            command: (other.command + other.args).map { word in
                let text = environment.expand(word)
                // A token in a URL may be unknown.
                return text.unknown.isEmpty ? text.text : word
            }, workingDirectory: other.workingDirectory)
        func views(_ path: String) -> [Checkout] {
            Self.views(of: path, in: other.volumeMounts, from: container.volumeMounts)
        }
        for checkout in own.checkouts {
            checkouts += views(checkout.path).map {
                Checkout(path: $0.path, directory: $0.directory, revision: checkout.revision)
            }
        }
        for (path, url) in own.foreign { for view in views(path) { foreign[view.path] = url } }
        for (path, file) in own.downloads {
            for view in views(path) where view.directory.isEmpty { downloads[view.path] = file }
        }
    }

    /// Where a container sees what another one has at a path: the same volume may be mounted elsewhere, or a directory of it.
    private static func views(
        of path: String, in mounts: [PodContainer.VolumeMount], from others: [PodContainer.VolumeMount]
    ) -> [Checkout] {
        let mount = mounts.filter { relative(path, to: $0.mountPath) != nil }.max {
            clean($0.mountPath).count < clean($1.mountPath).count
        }
        // Not in a volume: nobody else would see it. The manifest is taken to mean the same path.
        guard let mount, let below = relative(path, to: mount.mountPath) else { return [Checkout(path: path)] }
        let inVolume = clean("\(mount.subPath ?? "")/\(below)")
        return others.filter { $0.name == mount.name }.compactMap { other in
            let top = clean(other.subPath ?? "")
            if let below = relative(inVolume, to: top) {
                return Checkout(path: clean("\(other.mountPath)/\(below)"))
            }
            return relative(top, to: inVolume).map { Checkout(path: clean(other.mountPath), directory: $0) }
        }
    }

    /// Reads the command of a container.
    mutating func learn(command: [String], workingDirectory: String?) {
        var words = command
        // sh -c 'text': the text's words.
        if let flag = command.firstIndex(where: { $0.hasPrefix("-") && $0.hasSuffix("c") && !$0.hasPrefix("--") }),
            flag > 0, command[flag - 1].hasSuffix("sh"), command.indices.contains(flag + 1)
        {
            words = ShellWords.split(command[flag + 1]).map(\.text)
        }
        var directory = workingDirectory ?? "/"
        for statement in words.split(whereSeparator: { Self.separators.contains($0) }) {
            let statement = Array(statement)
            guard let program = statement.first?.split(separator: "/").last.map(String.init) else { continue }
            if program == "cd", statement.count > 1 { directory = Self.join(directory, statement[1]) }
            if let clone = statement.firstIndex(of: "clone") {
                learnClone(Array(statement[(clone + 1)...]), in: directory)
            } else if let output = statement.firstIndex(where: { ["-o", "-O", "--output"].contains($0) }),
                statement.indices.contains(output + 1), let url = statement.first(where: Self.isURL)
            {
                learnDownload(url, to: Self.join(directory, statement[output + 1]))
            } else if let url = statement.first(where: Self.isURL), ["curl", "wget"].contains(program),
                let name = url.split(separator: "/").last
            {
                learnDownload(url, to: Self.join(directory, String(name)))
            }
        }
    }

    /// A `gitRepo` volume. Without a directory, the checkout has one of the repository's name, as `git clone` makes it.
    mutating func learn(gitVolume volume: PodVolume, at path: String) {
        guard let url = volume.gitRepository else { return }
        let directory = volume.gitDirectory ?? Self.directory(ofClone: url)
        let revision = volume.gitRevision ?? ""
        record(clone: url, at: "\(path)/\(directory)", revision: revision.isEmpty ? nil : revision)
    }

    private mutating func learnClone(_ words: [String], in directory: String) {
        var operands: [String] = []
        var revision: String?
        var rest = words[...]
        while let word = rest.popFirst() {
            let option = word.prefix { $0 != "=" }
            switch word {
            case "-b", "--branch": revision = rest.popFirst()
            // Options of `git clone` with a value of their own.
            case "--depth", "-o", "--origin", "--reference", "-c", "--config", "-u", "--upload-pack", "-j", "--jobs",
                "--filter", "--separate-git-dir", "--template", "--server-option", "--shallow-since",
                "--shallow-exclude":
                _ = rest.popFirst()
            case _ where option == "--branch": revision = String(word.dropFirst(option.count + 1))
            case _ where word.hasPrefix("-b") && !word.hasPrefix("--") && word.count > 2:
                revision = String(word.dropFirst(2))
            case _ where word.hasPrefix("-"): break
            default: operands.append(word)
            }
        }
        guard let url = operands.first else { return }
        record(
            clone: url, at: Self.join(directory, operands.count > 1 ? operands[1] : Self.directory(ofClone: url)),
            revision: revision)
    }

    private static func directory(ofClone url: String) -> String {
        let name = url.split(separator: "/").last.map { $0.hasSuffix(".git") ? $0.dropLast(4) : $0 } ?? ""
        return String(name)
    }

    private mutating func record(clone url: String, at path: String, revision: String?) {
        let path = Self.clean(path)
        if isSameRepository(url) {
            checkouts.append(Checkout(path: path, revision: revision))
        } else {
            foreign[path] = url
        }
    }

    /// A raw file's address ends with its path in the repository: `…/OWNER/NAME/BRANCH/docker/Dockerfile`. The longest
    /// ending that the repository holds is taken.
    private mutating func learnDownload(_ url: String, to path: String) {
        let path = Self.clean(path)
        let bare = url.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = bare.firstRange(of: "://") else { return }
        var components = bare[scheme.upperBound...].split(separator: "/").dropFirst()
        while !components.isEmpty {
            let candidate = components.joined(separator: "/")
            if exists(candidate) {
                downloads[path] = candidate
                return
            }
            components = components.dropFirst()
        }
    }

    private static func isURL(_ word: String) -> Bool { word.hasPrefix("http://") || word.hasPrefix("https://") }

    package static func join(_ base: String, _ path: String) -> String {
        path.hasPrefix("/") ? path : base + "/" + path
    }

    /// Removes `.`, empty and `..` components; the result is absolute and without a final slash.
    package static func clean(_ path: String) -> String {
        var components: [Substring] = []
        for component in path.split(separator: "/") where component != "." {
            if component == ".." { _ = components.popLast() } else { components.append(component) }
        }
        return "/" + components.joined(separator: "/")
    }

    /// `path` below `directory`, without a leading slash; `nil` when it is not below it.
    package static func relative(_ path: String, to directory: String) -> String? {
        let (path, directory) = (clean(path), clean(directory))
        if directory == "/" { return String(path.dropFirst()) }
        if path == directory { return "" }
        return path.hasPrefix(directory + "/") ? String(path.dropFirst(directory.count + 1)) : nil
    }
}
