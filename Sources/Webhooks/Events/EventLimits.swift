import JSON

extension JSONLimits {
    /// Bodies of events come from strangers. Lists that events do not need are not kept: a push of thousands of commits costs no memory.
    static let event: JSONLimits = {
        var limits = JSONLimits()
        limits.unneeded = [
            "commits", "head_commit", "sender", "manifest", "installation", "organization", "enterprise", "message",
            "detailedMessage",
        ]
        return limits
    }()
}
