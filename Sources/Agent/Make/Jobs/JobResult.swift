package import Builder
import FoundationEssentials
package import OCI

/// How a build in a container ended, for whoever waits for it: `slipway build --result-file`, which Kubernetes hands on as the
/// container's termination message (4,096 bytes at most).
package struct JobResult: Sendable, Codable, Equatable {
    package static let path = "/dev/termination-log"
    private static let textLimit = 700

    package struct Failure: Sendable, Codable, Equatable {
        package var code: String
        package var summary: String
        package var place: String?
        package var cause: String?
        package var hint: String?
        package var isTransient: Bool
    }

    /// Of the image, or of the index of several.
    package var digest: String?
    package var seconds: Double?
    /// How RUN steps were isolated; `nil` when there were none.
    package var isolation: String?
    package var failure: Failure?

    package init(digest: Digest, seconds: Double, isolation: String?) {
        self.digest = "\(digest)"
        self.seconds = (seconds * 1000).rounded() / 1000
        self.isolation = isolation
    }

    package init(_ error: BuildError) {
        func short(_ text: String) -> String {
            text.count > Self.textLimit ? "\(text.prefix(Self.textLimit))…" : text
        }
        failure = Failure(
            code: error.code.rawValue, summary: short(error.summary), place: error.place.map(short),
            cause: error.cause.map(short), hint: error.hint.map(short), isTransient: error.isTransient)
    }

    /// - Returns: `nil` where it is anything else.
    package init?(_ message: String) {
        guard let result = try? JSONDecoder().decode(JobResult.self, from: Data(message.utf8)),
            result.digest != nil || result.failure != nil
        else { return nil }
        self = result
    }

    package var encoded: [UInt8] { (try? CanonicalJSON.encode(self)) ?? [] }

    /// What failed, as it would have failed here; `nil` where nothing did, or by a code of another version.
    var error: BuildError? {
        guard let failure else { return nil }
        return BuildError(
            BuildError.Code(rawValue: failure.code) ?? .storage, failure.summary, place: failure.place,
            cause: failure.cause, hint: failure.hint, isTransient: failure.isTransient)
    }
}
