import Foundation
import TestSupport

/// The chart, and Helm as the tests have it.
enum Helm {
    static let chart = Cluster.root + "/config/chart"
    static let program = Cluster.root + "/.build-venv/bin/helm"

    /// - Returns: what is printed on standard output; on standard error, Helm notes each link that it follows.
    static func run(_ arguments: String..., allowFailure: Bool = false) throws -> Shell.Output {
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw TestSupportError("\(program) is missing: run scripts/install-deps.sh --test")
        }
        return try Shell.run([program] + arguments, allowFailure: allowFailure)
    }

    /// The objects that the chart makes.
    static func template(_ settings: [String], version: String = "1.33") throws -> String {
        let set = settings.flatMap { ["--set", $0] }
        return try Shell.run(
            [program, "template", "slipway", chart, "--namespace", "slipway", "--kube-version", version] + set
        ).stdout
    }

    static func objects(_ settings: [String], version: String = "1.33") throws -> [[String: Any]] {
        try Cluster.json(try template(settings, version: version))
    }
}
