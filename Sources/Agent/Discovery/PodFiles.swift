/// Where the files of a build pod come from, in terms of the repository.
///
/// A kaniko pod sees directories: a volume that an init container filled by `git clone` or by downloading single files,
/// a `gitRepo` volume, or a claim that somebody filled by hand. Building without the pod needs the way back from such a
/// path to the repository.
package struct PodFiles: Sendable {
    /// A directory of the pod that is (assumed to be) a checkout of the repository.
    package private(set) var checkouts: [String] = []
    /// Single files of the pod that were downloaded from the repository: pod path → repository path.
    package private(set) var downloads: [String: String] = [:]
    /// Clones of something else, by directory.
    package private(set) var foreign: [String: String] = [:]

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

    /// Reads the command of an init container.
    package mutating func learn(command: [String], workingDirectory: String?) {
        var words = command
        // sh -c 'text': the text's words.
        if let flag = command.firstIndex(where: { $0.hasPrefix("-") && $0.hasSuffix("c") && !$0.hasPrefix("--") }),
            flag > 0, command[flag - 1].hasSuffix("sh"), command.indices.contains(flag + 1)
        {
            words = Self.shellWords(command[flag + 1])
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

    package mutating func learn(gitVolume repository: String, at path: String) {
        record(clone: repository, at: path)
    }

    private mutating func learnClone(_ words: [String], in directory: String) {
        var operands: [String] = []
        var skip = false
        for word in words where word != "--" {
            if skip {
                skip = false
            } else if word.hasPrefix("-") {
                // Options of `git clone` with a separate value.
                skip = ["-b", "--branch", "--depth", "-o", "--origin", "--reference", "-c", "--config"].contains(word)
            } else {
                operands.append(word)
            }
        }
        guard let url = operands.first else { return }
        let name = url.split(separator: "/").last.map { $0.hasSuffix(".git") ? $0.dropLast(4) : $0 } ?? ""
        record(clone: url, at: Self.join(directory, operands.count > 1 ? operands[1] : String(name)))
    }

    private mutating func record(clone url: String, at path: String) {
        let path = Self.clean(path)
        if isSameRepository(url) { checkouts.append(path) } else { foreign[path] = url }
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

    /// Splits a shell text into words and operators; quotes group, expansions stay as they are written.
    static func shellWords(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var started = false
        var quote: Character?
        var escaped = false
        func close() {
            if started { words.append(word) }
            word = ""
            started = false
        }
        for character in text {
            if escaped {
                word.append(character)
                escaped = false
            } else if let open = quote {
                if character == open {
                    quote = nil
                } else if character == "\\", open == "\"" {
                    escaped = true
                } else {
                    word.append(character)
                }
            } else {
                switch character {
                case "\\": (escaped, started) = (true, true)
                case "'", "\"": (quote, started) = (character, true)
                case " ", "\t": close()
                case "\n", "\r\n":
                    close()
                    words.append(";")
                case ";", "&", "|":
                    if !started, let last = words.last, last == String(character), character != ";" {
                        words[words.count - 1] = last + last
                    } else {
                        close()
                        words.append(String(character))
                    }
                default:
                    word.append(character)
                    started = true
                }
            }
        }
        close()
        return words
    }

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
