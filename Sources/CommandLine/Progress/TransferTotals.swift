import Agent
import Builder

/// Adds up what a build pulled and pushed, and what of it is on its way.
struct TransferTotals {
    private var done: [BlobTransfer.Direction: Int64] = [:]
    private var underWay: [BlobTransfer.ID: (bytes: Int64, total: Int64)] = [:]

    mutating func take(_ transfer: BlobTransfer) {
        switch transfer.state {
        case .underWay: underWay[transfer.id] = (transfer.bytes, transfer.total)
        case .stopped: underWay[transfer.id] = nil
        case .done:
            // Pushed blobs have an event of their own, which says what became of them.
            if transfer.id.direction == .pull { finish(transfer.id, size: transfer.total) }
            underWay[transfer.id] = nil
        }
    }

    /// A blob was moved as a whole.
    mutating func finish(_ id: BlobTransfer.ID, size: Int64) {
        underWay[id] = nil
        done[id.direction] = Self.sum(done[id.direction] ?? 0, size)
    }

    /// `18.4 MB of 47.1 MB pulled`, or what was done where nothing is on its way; `nil` where neither is.
    func text(_ direction: BlobTransfer.Direction) -> String? {
        let verb = direction == .pull ? "pulled" : "pushed"
        let finished = done[direction] ?? 0
        var (bytes, total, isOver) = (finished, finished, true)
        for (id, part) in underWay where id.direction == direction {
            bytes = Self.sum(bytes, part.bytes)
            total = Self.sum(total, part.total)
            isOver = false
        }
        if !isOver { return "\(BuildProgress.size(bytes)) of \(BuildProgress.size(total)) \(verb)" }
        return finished > 0 ? "\(BuildProgress.size(finished)) \(verb)" : nil
    }

    /// A manifest may promise blobs of any size.
    private static func sum(_ one: Int64, _ other: Int64) -> Int64 {
        let (sum, overflow) = one.addingReportingOverflow(max(0, other))
        return overflow ? .max : sum
    }
}
