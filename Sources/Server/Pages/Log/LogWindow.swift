/// Which lines of a build's log a page is asked for by its query. What makes no sense asks for nothing.
struct LogWindow: Sendable, Equatable {
    /// Lines of one step; 0: the build's own.
    struct Piece: Sendable, Equatable {
        let step: Int
        /// `nil`: all of them.
        let lines: Range<Int>?
    }

    var piece: Piece?
    /// A text: lines that have it, two around each.
    var search: String?
    /// All lines of all steps.
    var isWhole = false

    /// How many lines are shown of a long step's beginning and end, at a time, and around a line that is linked to.
    static let (head, tail, pieceSize, around) = (100, 400, 1_000, 200)

    init() {}

    init(_ request: ServerRequest) {
        let query = request.query
        search = query["log"].flatMap { $0.isEmpty ? nil : $0 }
        let step = query["step"].map { Int($0) ?? -1 }
        isWhole = query["all"] == "1" && step == nil
        if let line = query["line"] {
            let parts = line.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
            guard parts.count == 2, let step = parts[0], let number = parts[1] else { return }
            let middle = Self.bounded(number)
            piece = Piece(step: step, lines: max(1, middle - Self.around)..<middle + Self.around + 1)
        } else if let step, query["all"] == "1" {
            piece = Piece(step: step, lines: nil)
        } else if let from = query["from"].flatMap({ Int($0) }) {
            let start = Self.bounded(from)
            piece = Piece(step: step ?? 0, lines: start..<start + Self.pieceSize)
        }
    }

    private static func bounded(_ number: Int) -> Int { min(max(1, number), 1 << 32) }
}
