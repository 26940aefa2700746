import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite("Subordinate ids", .tags(.unit)) struct SubordinateIDTests {
    @Test func `the lines of a user, by name and by number`() {
        let text = """
            # somebody:1:1
            other:100000:65536
            me:165536:65536

            1000:300000:10
            me:165536:65536
            me:x:5
            me:5
            me:0:70000
            me:4294967295:2
            me:7:0
            me:-1:5
            me:1:2:3
            """
        typealias Range = SubordinateIDs.Range
        #expect(
            SubordinateIDs.ranges(in: text, of: ["me", "1000"])
                == [Range(start: 165_536, count: 65_536), Range(start: 300_000, count: 10)])
        #expect(SubordinateIDs.ranges(in: text, of: ["1000"]) == [Range(start: 300_000, count: 10)])
        #expect(SubordinateIDs.ranges(in: text, of: ["nobody"]).isEmpty)
        #expect(SubordinateIDs.ranges(in: "", of: ["me"]).isEmpty)
    }

    @Test func `the map begins with the user, and goes on without gaps`() {
        typealias Range = SubordinateIDs.Range
        #expect(
            SubordinateIDs.arguments(own: 1_000, [Range(start: 5_000, count: 10), Range(start: 9_000, count: 20)])
                == ["0", "1000", "1", "1", "5000", "10", "11", "9000", "20"])
        let huge = [Range(start: 1, count: .max - 1), Range(start: 7, count: .max - 7)]
        #expect(SubordinateIDs.arguments(own: 0, huge) == ["0", "0", "1", "1", "1", "\(UInt32.max - 1)"])
    }

    @Test func `root needs none, and a process with threads stays what it is`() {
        let before = (geteuid(), IdentityMap.mark)
        let outcome = SubordinateIDs.enter()
        if before.0 == 0 {
            #expect(outcome == .unneeded)
        } else if case .unavailable(let reason) = outcome {
            #expect(!reason.isEmpty)
        } else {
            Issue.record("entered with several threads")
        }
        #expect(geteuid() == before.0 && IdentityMap.mark == before.1)
    }
}
