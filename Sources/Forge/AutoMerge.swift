/// What came of asking the host to merge a pull request once it may.
package enum AutoMerge: Sendable, Equatable {
    /// The host merges it when its checks are passed.
    case enabled
    /// It is merged.
    case merged
    /// It cannot be asked for yet.
    case waiting(String)
    /// It cannot be asked for, until a setting, the token's rights, or the pull request changes.
    case refused(String)
}
