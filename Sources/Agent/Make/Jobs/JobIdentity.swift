import Cluster
import JSON
import OCI

/// Which build a Job is: the same build has the same name, so that it is found again and never made twice.
struct JobIdentity: Sendable, Equatable {
    /// Of the Job, its Secret and its pod.
    let name: String
    /// Tells the Jobs of one pipeline from all others.
    let pipeline: String
    let key: ContentKeyLabel
    /// For people.
    let shown: (repository: String, pipeline: String)

    /// - Parameter branch: two entries may watch two branches of one repository.
    init(_ key: PipelineKey, url: String, branch: String, contentKey: String) {
        let scope = [key.repository, url, branch, key.pipeline].map { "\($0.utf8.count):\($0)" }.joined()
        pipeline = String(Digest.sha256(of: Array(scope.utf8)).encoded.prefix(32))
        self.key = ContentKeyLabel(contentKey)
        let hash = Digest.sha256(of: Array((scope + contentKey).utf8)).encoded.prefix(16)
        name = "slipway-\(Self.slug(key.repository, 15))-\(Self.slug(key.pipeline, 15))-\(hash)"
        shown = (key.repository, key.pipeline)
    }

    static func == (left: JobIdentity, right: JobIdentity) -> Bool { left.name == right.name }

    static let pipelineLabel = "slipway.dev/pipeline"
    static let keyLabel = "slipway.dev/content-key"
    /// The whole key: a label has no room for it.
    static let keyAnnotation = "slipway.dev/content-key"
    static let revisionAnnotation = "slipway.dev/revision"

    /// The Jobs of the pipeline, whatever they build.
    var selector: String { "\(Self.pipelineLabel)=\(pipeline)" }

    var labels: [String: String] {
        [
            "app.kubernetes.io/managed-by": "slipway", "app.kubernetes.io/component": "build",
            Self.pipelineLabel: pipeline, Self.keyLabel: key.label,
        ]
    }

    /// Lower case letters, digits and dashes, as names of objects have them.
    private static func slug(_ text: String, _ limit: Int) -> String {
        let bytes = text.lowercased().utf8.prefix(limit).map { byte -> UInt8 in
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) ? byte : UInt8(ascii: "-")
        }
        let slug = String(decoding: bytes, as: UTF8.self)
        return slug.contains { $0 != "-" } ? slug : "x"
    }
}

/// A content key as a label's value, which has 63 characters at most: the beginning of the digest.
struct ContentKeyLabel: Sendable, Hashable {
    let whole: String

    init(_ key: String) { whole = key }

    var label: String { String((whole.split(separator: ":").last ?? "").prefix(40)) }
}
