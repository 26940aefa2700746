import Agent
import Git
import OCI

/// Prints what became of workloads, as fluxctl does or as JSON.
struct WorkloadResultTable {
    private let answer: EditAnswer

    init(_ answer: EditAnswer) { self.answer = answer }

    private struct Report: Encodable {
        var commit: String?
        var workloads: [WorkloadResult]
    }

    /// - Parameter verbosity: how many `-v` there were: one shows what was skipped, two what was ignored, too.
    func print(as output: OutputFormat, verbosity: Int, on console: Console) throws {
        switch output {
        case .json:
            let report = Report(commit: answer.commit?.commit, workloads: answer.workloads)
            console.result(String(decoding: try CanonicalJSON.encode(report), as: UTF8.self))
        case .text:
            var table = [["WORKLOAD ", "STATUS ", "UPDATES"]]
            for result in answer.workloads where Self.verbosity(of: result) <= verbosity {
                table.append([result.workload, result.status, result.updates.first ?? ""])
                for line in result.updates.dropFirst() { table.append(["", "", line]) }
            }
            for line in TextTable.lines(table) { console.result(line) }
        }
        if let commit = answer.commit.flatMap({ try? ObjectID(hex: $0.commit) }) {
            console.alert("Commit pushed:\t\(commit.short)")
        } else if answer.changes == 0 {
            console.alert("Nothing to do")
        }
    }

    /// From how many `-v` on a result is shown.
    private static func verbosity(of result: WorkloadResult) -> Int {
        switch result.status {
        case "ignored": 2
        case "skipped": 1
        default: 0
        }
    }
}
