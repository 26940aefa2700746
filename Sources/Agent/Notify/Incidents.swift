/// What is wrong in a repository and was told, until it is over. What comes again in the meantime is not told again.
struct Incidents: Codable, Sendable, Equatable {
    struct Incident: Codable, Sendable, Equatable {
        /// In seconds since 1970.
        var since: Int64
        var isTold: Bool
        /// The ways in which it shows, for what has several. Never the words of an error: these hold times and numbers.
        var ways: Set<String>
    }

    enum Subject: Hashable, Sendable {
        /// A pipeline's build fails.
        case build(String)
        /// A cycle fails in other ways.
        case cycle
        /// A person's word holds something back.
        case hold(String)
        /// A pull request is open.
        case pullRequest(String)

        var key: String {
            switch self {
            case .build(let pipeline): "build/\(pipeline)"
            case .cycle: "cycle"
            case .hold(let subject): "hold/\(subject)"
            case .pullRequest(let url): "pull/\(url)"
            }
        }
    }

    /// What is new about a subject.
    enum News: Equatable {
        case nothing
        /// It is to be told for the first time.
        case begins
        /// It shows in further ways.
        case widens(Set<String>)
    }

    private(set) var open: [String: Incident] = [:]

    private static let limit = 1_000

    var isEmpty: Bool { open.isEmpty }

    /// Takes in that something is wrong.
    ///
    /// - Parameters:
    ///   - since: since when, in seconds since 1970.
    ///   - isDue: whether it is to be told by now.
    mutating func found(_ subject: Subject, ways: Set<String> = [], since: Int64, isDue: Bool) -> News {
        guard var incident = open[subject.key] else {
            guard open.count < Self.limit else { return .nothing }
            open[subject.key] = Incident(since: since, isTold: isDue, ways: ways)
            return isDue ? .begins : .nothing
        }
        let new = ways.subtracting(incident.ways)
        incident.ways.formUnion(ways)
        let wasTold = incident.isTold
        if isDue { incident.isTold = true }
        open[subject.key] = incident
        guard wasTold else { return isDue ? .begins : .nothing }
        return new.isEmpty ? .nothing : .widens(new)
    }

    /// Since when something is wrong; `nil` where it is not known to be.
    func since(_ subject: Subject) -> Int64? { open[subject.key]?.since }

    /// Takes in that something is well again.
    ///
    /// - Returns: what was told of; `nil` where nothing was.
    mutating func ended(_ subject: Subject) -> Incident? {
        guard let incident = open.removeValue(forKey: subject.key), incident.isTold else { return nil }
        return incident
    }

    /// The subjects with a prefix, without it: the pipelines that fail, say.
    func subjects(_ prefix: String) -> [String] {
        open.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }.sorted()
    }

    var failingPipelines: [String] { subjects("build/") }
    var holds: [String] { subjects("hold/") }
    var pullRequests: [String] { subjects("pull/") }
}
