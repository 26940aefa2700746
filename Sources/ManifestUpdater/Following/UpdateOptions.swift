/// What a workload's annotations ask for beside the choice of a tag, in Slipway's own words:
///
/// | annotation | meaning |
/// |---|---|
/// | `slipway.dev/pin: "true"` | the digest is written behind the tag, `app:v1@sha256:…` |
/// | `slipway.dev/platforms: linux/amd64, linux/arm64` | only images that exist for all of them |
/// | `slipway.dev/approval: required` | an update waits until `slipway.dev/approved.<container>` names its tag, or goes by a pull request |
/// | `slipway.dev/requires.<container>: acme/api, acme/db` | only tags that these repositories have, too |
package struct UpdateOptions: Hashable, Sendable {
    package var pinsDigest = false
    package var platforms: [String] = []
    package var needsApproval = false
    /// Whether an annotation can say that a person agreed; a values file has none.
    package var canBeApproved = true
    /// The tag that a person agreed to.
    package var approvedTag: String?
    /// Repositories that must have the tag.
    package var requires: [String] = []

    package init() {}

    init(annotations: [String: String], container: String) {
        func value(_ name: String) -> String? { annotations["slipway.dev/\(name)"] }
        pinsDigest = (value("pin.\(container)") ?? value("pin")) == "true"
        platforms = Self.list(value("platforms.\(container)") ?? value("platforms"))
        let approval = value("approval.\(container)") ?? value("approval")
        needsApproval = approval == "required" || approval == "true"
        approvedTag = value("approved.\(container)") ?? value("approved")
        requires = Self.list(value("requires.\(container)") ?? value("requires"))
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { $0.trimmingBlanks }.filter { !$0.isEmpty }
    }
}

extension StringProtocol {
    /// Without blanks and line breaks at its ends.
    var trimmingBlanks: String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return String(text)
    }
}
