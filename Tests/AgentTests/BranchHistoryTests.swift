import Git
import TestSupport
import Testing

@testable import Agent

@Suite(.tags(.unit)) struct BranchHistoryTests {
    private static func id(_ number: Int) throws -> ObjectID {
        let digits = String(number * 2_654_435_761 % 0xffff_ffff, radix: 16)
        return try ObjectID(hex: String(repeating: "0", count: 40 - digits.count) + digits)
    }

    /// A person's commit, the agent's, or a command's.
    private static func commit(_ number: Int, _ random: inout SplitMix) throws -> Commit {
        let message =
            switch Int.random(in: 0..<3, using: &random) {
            case 0: "Change something"
            case 1:
                "Update\n\n"
                    + CommitTrailer.line(
                        CycleReport.Update(
                            file: "deploy/\(Int.random(in: 0..<2, using: &random)).yaml", line: 1,
                            workload: "Deployment/app", container: "app",
                            old: "v\(Int.random(in: 0..<5, using: &random))",
                            new: "v\(Int.random(in: 0..<5, using: &random))", reason: ""))
            default: "Revert something"
            }
        let person = Signature(name: "A", email: "a@example.com", time: Int64(number))
        return Commit(
            id: try id(number), tree: try id(0), parents: number == 0 ? [] : [try id(number - 1)], author: person,
            committer: person,
            message: message)
    }

    @Test(arguments: 0..<40) func `what comes on top gives what reading all gives`(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let all = try (0..<Int.random(in: 1..<60, using: &random)).map { try Self.commit($0, &random) }
        var grown = BranchHistory([])
        var known = 0
        while known < all.count {
            let next = min(all.count, known + Int.random(in: 1...7, using: &random))
            grown = BranchHistory(Array(all[known..<next].reversed()), onTopOf: grown)
            known = next
        }
        let whole = BranchHistory(all.reversed())
        #expect(grown.head == whole.head)
        #expect(grown.count == whole.count)
        #expect(Array(grown.ownOnTop) == Array(whole.ownOnTop))
        #expect(grown.newestOfOthers?.id == whole.newestOfOthers?.id)
        for commit in all {
            #expect(grown.position(commit.id.description) == whole.position(commit.id.description))
            let (one, other) = (grown.since(commit.id.description), whole.since(commit.id.description))
            #expect(one?.map(\.id) == other?.map(\.id))
            #expect(one?.map(\.isOwn) == other?.map(\.isOwn))
        }
        for file in 0..<3 {
            let place = WrittenValues.Place(file: "deploy/\(file).yaml", workload: "Deployment/app", container: "app")
            for current in 0..<5 {
                for isGone in [true, false] {
                    #expect(
                        grown.written.takenBack(at: place, current: "v\(current)") { _ in isGone }
                            == whole.written.takenBack(at: place, current: "v\(current)") { _ in isGone })
                }
            }
        }
    }
}
