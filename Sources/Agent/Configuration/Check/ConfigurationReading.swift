import YAML

/// A configuration file that is read as far as possible: what cannot be read is told and passed over.
struct ConfigurationReading: Sendable {
    /// `nil` when nothing could be read.
    private(set) var configuration: AgentConfiguration?
    private(set) var problems: [ConfigurationProblem] = []
    /// Where each value is.
    private(set) var places: [String: YAMLPlace] = [:]
    private var ignored: Set<String> = []

    /// A file may be wrong in every line; whoever wrote it will not read more than this at a time.
    private static let limit = 100

    init(_ bytes: [UInt8], file: String) {
        places = ((try? YAMLValue.document(bytes, file: file)) ?? nil)?.places() ?? [:]
        while problems.count < Self.limit {
            do throws(YAMLError) {
                configuration = try ConfigurationFile.parse(bytes, file: file, ignoring: ignored)
                return
            } catch {
                if !isConsequence(error) { problems.append(ConfigurationProblem(error)) }
                guard let path = guilty(error), ignored.insert(path).inserted else { return }
            }
        }
    }

    /// What has to be passed over to read on; `nil` where that is everything.
    private func guilty(_ error: YAMLError) -> String? {
        guard error.code == .unknownKey else { return error.path.isEmpty ? nil : error.path }
        // The error is the mapping's; the key is told by its place.
        return places.first { path, place in
            place.key == error.location && Self.parent(of: path) == error.path
        }?.key
    }

    /// Whether something is wrong only because a part of it was passed over.
    private func isConsequence(_ error: YAMLError) -> Bool {
        switch error.code {
        case .missingKey:
            ignored.contains { path in
                Self.parent(of: path) == error.path && error.summary.contains("'\(Self.name(of: path))' is missing")
            }
                // It is there, misspelt, and was told as that.
                || problems.contains { problem in
                    problem.code == .unknownKey && problem.key == error.path
                        && problem.hint.map {
                            error.summary.hasSuffix($0.dropFirst("did you mean ".count).dropLast() + " is missing")
                        }
                            ?? false
                }
        case .value: !isWhole(error.path)
        default: false
        }
    }

    /// Whether everything below a path could be read.
    func isWhole(_ path: String) -> Bool {
        !ignored.contains { $0 == path || path.isEmpty || Self.isBelow($0, path) }
    }

    /// The items of a list that could be read: their paths, in order.
    func items(of list: String) -> [String] {
        (0..<places.count).lazy.map { "\(list)[\($0)]" }.prefix { places[$0] != nil }.filter { !ignored.contains($0) }
    }

    /// A problem's place: that of its key, or of the nearest one around it that is in the file.
    func located(_ problem: ConfigurationProblem) -> ConfigurationProblem {
        var path: String? = problem.key
        while let next = path {
            if let place = places[next] {
                return ConfigurationProblem(
                    problem.code, problem.summary, severity: problem.severity, key: problem.key, location: place.value,
                    cause: problem.cause, hint: problem.hint)
            }
            path = Self.parent(of: next)
        }
        return problem
    }

    private static func isBelow(_ path: String, _ top: String) -> Bool {
        path.hasPrefix(top) && [".", "["].contains(path.dropFirst(top.count).first)
    }

    private static func name(of path: String) -> Substring {
        path.lastIndex(of: ".").map { path[path.index(after: $0)...] } ?? path[...]
    }

    private static func parent(of path: String) -> String? {
        guard !path.isEmpty else { return nil }
        let end = path.lastIndex { $0 == "." || $0 == "[" }
        return end.map { String(path[..<$0]) } ?? ""
    }
}
