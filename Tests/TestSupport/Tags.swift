package import Testing

extension Tag {
    /// Fast and pure: no processes, no network.
    @Tag package static var unit: Self
    /// Against a real peer (git, sshd, a registry, skopeo …) that the test starts itself.
    @Tag package static var integration: Self
    /// The whole loop, through the built binary.
    @Tag package static var endToEnd: Self
}
