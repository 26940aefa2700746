import OCI

/// The JSON of Flux v1's git notes, for tools that read them: what was asked for, and what was done to each workload.
enum FluxNote {
    private struct Note: Encodable {
        let jobID: String
        let spec: Specification
        let result: [String: WorkloadResult]
    }

    private struct Specification: Encodable {
        struct Cause: Encodable {
            let Message: String
            let User: String
        }

        struct Automated: Encodable { let Changes: [Change] }

        let type = "auto"
        let cause: Cause
        let spec: Automated
    }

    private struct Change: Encodable {
        struct Container: Encodable {
            let Name: String
            let Image: String
        }

        let WorkloadID: String
        let Container: Container
        let ImageID: String
    }

    private struct WorkloadResult: Encodable {
        struct Container: Encodable {
            let Container: String
            let Current: String
            let Target: String
        }

        let Status = "success"
        let PerContainer: [Container]
    }

    static func json(_ updates: [CycleReport.Update], subject: String) throws -> String {
        // A job's name in the form of a UUID, the same for the same change.
        let digits = Digest.sha256(of: Array(updates.map(CommitTrailer.line).joined(separator: "\n").utf8)).encoded
        var job = ""
        for (index, digit) in digits.prefix(32).enumerated() {
            if [8, 12, 16, 20].contains(index) { job += "-" }
            job.append(digit)
        }
        let note = Note(
            jobID: job,
            spec: Specification(
                cause: .init(Message: "", User: ""),
                spec: .init(
                    Changes: updates.map {
                        Change(
                            WorkloadID: $0.workload, Container: .init(Name: $0.container, Image: $0.old),
                            ImageID: $0.new)
                    })),
            result: Dictionary(grouping: updates, by: \.workload).mapValues {
                WorkloadResult(
                    PerContainer: $0.map { .init(Container: $0.container, Current: $0.old, Target: $0.new) })
            })
        return String(decoding: try CanonicalJSON.encode(note), as: UTF8.self)
    }
}
