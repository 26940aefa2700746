package import Builder
package import Registry

/// Whose a failure is, and so what can end it.
package enum FailureKind: String, Sendable, Codable, CaseIterable {
    /// It lies in what is built: a step's exit code, an error in the Dockerfile, a file that is not there. The same content fails the
    /// same way, so it is not tried again until the content changes, or somebody asks for it.
    case input
    /// It lies in the world: network, registry, disk, machine, credentials. It may be gone the next moment.
    case world

    /// - Returns: `nil` for a build that was cancelled: nothing failed.
    package init?(_ error: BuildError) {
        guard let kind = FailureKind(error.code) else { return nil }
        self = error.isTransient ? .world : kind
    }

    private init?(_ code: BuildError.Code) {
        switch code {
        // The exit code of a command is taken for the command's. A step that needs the network and fails by it is told from
        // others by nothing; `slipway retry`, the next commit and the next base image free it.
        case .step: self = .input
        case .dockerfile, .unsupported: self = .input
        // COPY onto a file, through a link that goes in circles.
        case .destination: self = .input
        // Not in the context. Where it should have come from another machine, the error is transient.
        case .missingSource: self = .input
        // Git LFS pointers, broken archives, special files. Where the mirror is at fault, the error is transient.
        case .context: self = .input
        // It may be pushed after us, and a registry that refuses may want other credentials, which are the operator's.
        case .baseImage, .registry: self = .world
        // Another kernel setting, another node: nothing in the repository says that it changed.
        case .isolation: self = .world
        case .storage, .cache: self = .world
        case .cancelled: return nil
        }
    }

    /// A registry's answer to the agent itself: asking for tags, pushing, giving an image a further name.
    ///
    /// All of it is the world's. What is built does not say who may push, whether the registry's certificate is trusted, or what else it
    /// takes; where an operator puts that right, no content changes.
    ///
    /// - Returns: `nil` for a call that was cancelled.
    package init?(_ code: RegistryError.Code) {
        switch code {
        case .unauthorized, .denied, .credentials, .notFound, .contentMissing, .rateLimited, .unavailable, .tls,
            .plainHTTPRefused, .invalidContent, .digestMismatch, .tooLarge, .ambiguous, .platformMissing,
            .unsupported, .io:
            self = .world
        case .cancelled: return nil
        }
    }
}
