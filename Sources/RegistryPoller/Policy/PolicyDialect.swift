/// Whose rules a policy follows. Users bring their files with them: what a policy meant to the tool that they come from,
/// it means here.
package enum PolicyDialect: String, Sendable, Hashable, CaseIterable {
    case slipway
    /// `fluxd`, the annotations `fluxcd.io/tag.<container>`.
    case flux1
    /// The `ImagePolicy` objects of the image reflector controller.
    case flux2
    /// Argo CD Image Updater.
    case argocd
    case keel

    /// As people call it.
    package var title: String {
        switch self {
        case .slipway: "Slipway"
        case .flux1: "Flux v1"
        case .flux2: "Flux v2"
        case .argocd: "Argo CD Image Updater"
        case .keel: "Keel"
        }
    }
}
