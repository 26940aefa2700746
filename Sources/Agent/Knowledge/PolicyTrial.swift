import RegistryPoller

/// Another policy that a person tries on the tags of a place. It changes nothing.
package struct PolicyTrial: Sendable, Hashable {
    /// As an annotation has it: `semver:~1.4`.
    package var policy: String
    /// The tag that would be in use; `nil`: the one that is.
    package var current: String?

    package init(policy: String, current: String? = nil) {
        self.policy = policy
        self.current = current
    }

    /// - Parameter dialect: of the policy that decides; a dialect whose policies are objects has none of one line, and its trials are in
    ///   Slipway's own.
    func parsed(in dialect: PolicyDialect) throws(PolicyError) -> ImagePolicy {
        try ImagePolicy.parse(policy, dialect: dialect == .flux2 ? .slipway : dialect)
    }

    /// - Throws: when it is no policy in any dialect.
    package func validate() throws(ControlError) {
        do throws(PolicyError) { _ = try ImagePolicy.parse(policy) } catch {
            // Dialects differ in what they take: one of the others may have it.
            for dialect in [PolicyDialect.flux1, .argocd, .keel]
            where (try? ImagePolicy.parse(policy, dialect: dialect)) != nil { return }
            throw ControlError(
                .invalidRequest, "'\(policy.prefix(200))' is not a policy", place: "policy",
                cause: error.cause ?? error.summary, hint: error.hint ?? "docs/policies.md lists them")
        }
    }
}
