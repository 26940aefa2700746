import Diagnostics

/// Collects findings, without those that the file switches off.
struct LintCollector {
    /// More than anybody reads. What is found after that is not reported.
    static let limit = 1000

    private(set) var warnings: [LintWarning] = []
    private let options: CheckOptions
    /// Where the places lie: the file's text, or a trigger's.
    private var source: SourceText
    /// The options of the instruction at hand, from a `# check=…` directly above it.
    private var current: CheckOptions

    init(_ options: CheckOptions, _ source: SourceText) {
        self.options = options
        self.source = source
        current = options
    }

    /// Nothing more is taken: what a message would need does not have to be found out.
    var isFull: Bool { warnings.count >= Self.limit }

    /// Begins another instruction.
    mutating func enter(comments: [String], in source: SourceText? = nil) {
        current = options
        if let source { self.source = source }
        for comment in comments {
            let parts = comment.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, Whitespace.trim(String(parts[0])).lowercased() == "check" else { continue }
            let value = Whitespace.trim(String(parts[1])).prefix { $0 != " " }
            if let own = try? CheckOptions(String(value)) { current = options.merged(with: own) }
            return
        }
    }

    /// - Parameter near: the word to point at; the instruction's start when it is not found.
    mutating func report(_ rule: LintRule, _ message: String, near: String? = nil, at range: SourceRange) {
        if isFull { return }
        if rule.isExperimental {
            guard current.experimentalAll || current.experimental.contains(rule.rawValue) else { return }
        } else if current.skipAll || current.skip.contains(rule.rawValue) {
            return
        }
        let place = near.flatMap { source.location(of: $0, in: range.lines) } ?? range.start
        warnings.append(LintWarning(rule, message, at: place, excerpt: source.excerpt(at: place)))
    }
}
