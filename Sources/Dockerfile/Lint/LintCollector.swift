import Diagnostics

/// Collects findings, without those that the file switches off.
struct LintCollector {
    /// More than anybody reads. What is found after that is not reported.
    static let limit = 1000

    private(set) var warnings: [LintWarning] = []
    private let options: CheckOptions
    /// The options of the instruction at hand, from a `# check=…` directly above it.
    private var current: CheckOptions

    init(_ options: CheckOptions) {
        self.options = options
        current = options
    }

    /// Nothing more is taken: what a message would need does not have to be found out.
    var isFull: Bool { warnings.count >= Self.limit }

    /// Begins another instruction.
    mutating func enter(comments: [String]) {
        current = options
        for comment in comments {
            let parts = comment.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, Whitespace.trim(String(parts[0])).lowercased() == "check" else { continue }
            let value = Whitespace.trim(String(parts[1])).prefix { $0 != " " }
            if let own = try? CheckOptions(String(value)) { current = options.merged(with: own) }
            return
        }
    }

    mutating func report(_ rule: LintRule, _ message: String, at range: SourceRange) {
        if isFull { return }
        if rule.isExperimental {
            guard current.experimentalAll || current.experimental.contains(rule.rawValue) else { return }
        } else if current.skipAll || current.skip.contains(rule.rawValue) {
            return
        }
        warnings.append(LintWarning(rule, message, at: range.start))
    }
}
