package import Diagnostics

/// Why the agent does not do what was asked of it, with a code for programs.
package struct ControlError: Diagnostic, Equatable, Codable {
    /// The codes are stable: clients decide by them.
    package enum Code: String, Sendable, CaseIterable {
        /// The request is not one: its body, a parameter, a name.
        case invalidRequest = "invalid-request"
        /// There is no such address.
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case tooLarge = "too-large"
        /// No token came with the request, or another one.
        case unauthorized
        /// The request came by a host name that is not this agent's, or from another site's page.
        case forbidden
        /// Wrong tokens came from this address, too many of them.
        case tooManyAttempts = "too-many-attempts"
        /// The agent watches no repository of this name.
        case unknownRepository = "unknown-repository"
        /// History has no build of this name.
        case unknownBuild = "unknown-build"
        /// The image that is to be released is not at its registry.
        case missingImage = "missing-image"
        /// A person paused the repository.
        case paused
        /// The build that is to be stopped is over.
        case buildIsOver = "build-is-over"
        /// The range that is asked for is not in the log.
        case noSuchRange = "no-such-range"
        /// The agent is starting, reloading or leaving: ask again.
        case unavailable
        /// It was tried, and failed: git, a registry, the disk.
        case failed
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }

    /// The agent watches no repository of this name.
    static func unknown(_ name: String, among names: [String]) -> ControlError {
        let shown = names.sorted().prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        return ControlError(
            .unknownRepository, "the agent watches no repository '\(name)'", hint: "it watches \(shown)")
    }

    /// A failure of the agent's work.
    package init(_ error: any Diagnostic) {
        self =
            error as? ControlError
            ?? ControlError(.failed, error.summary, place: error.place, cause: error.cause, hint: error.hint)
    }
}

extension ControlError.Code: Codable {
    /// A code of a newer agent is one that this program has nothing special to do for.
    package init(from decoder: any Decoder) throws {
        self = Self(rawValue: try decoder.singleValueContainer().decode(String.self)) ?? .failed
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// An error as the API tells it.
package struct ErrorDocument: Codable, Sendable {
    package let error: ControlError

    package init(_ error: ControlError) { self.error = error }
}

/// Runs a step of the agent's, and tells its failure in the API's words.
func controlled<Value>(_ body: () async throws -> Value) async throws(ControlError) -> Value {
    do { return try await body() } catch let error as any Diagnostic { throw ControlError(error) } catch {
        throw ControlError(.failed, "\(error)")
    }
}
