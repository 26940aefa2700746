package import Diagnostics

/// A build or a push that did not succeed.
package struct BuildError: Diagnostic, Equatable {
    package enum Code: String, Sendable {
        /// The Dockerfile does not parse, or asks for something contradictory.
        case dockerfile
        /// The Dockerfile is right, but needs what is not supported (yet).
        case unsupported
        /// A source of COPY or ADD, or the Dockerfile itself, is not in the context.
        case missingSource
        /// A file cannot be put where it should go.
        case destination
        /// A base image cannot be found or read.
        case baseImage
        /// A RUN step failed.
        case step
        /// No isolation mode of this machine can run the step.
        case isolation
        /// The registry refused, or cannot be reached.
        case registry
        /// The context cannot be read.
        case context
        /// The local state directory failed (no space, permissions, damage).
        case storage
        case cancelled
        /// The shared step cache names a layer and does not give it: the build goes on without that cache.
        case cache
    }

    package var code: Code
    package var summary: String
    package var place: String?
    package var cause: String?
    package var hint: String?
    /// Whether the same build may succeed a moment later although its code says that it lies in what is built: another machine
    /// did not answer, the disk was full.
    package var isTransient = false
    /// Whether the disk had too little room for it.
    var lacksSpace = false

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil,
        isTransient: Bool = false
    ) {
        self.code = code
        self.isTransient = isTransient
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }

    /// Another module's error in the words of the build: its summary becomes the cause unless `summary` is `nil`.
    package init(_ code: Code, _ summary: String? = nil, place: String? = nil, from error: any Diagnostic) {
        self.code = code
        if let summary {
            self.summary = summary
            var cause = error.summary
            if let inner = error.cause, !inner.isEmpty { cause += ": \(inner)" }
            if let where_ = error.place { cause = "\(where_): \(cause)" }
            self.cause = cause
        } else {
            self.summary = error.summary
            cause = error.cause
        }
        self.place = place ?? error.place
        if summary != nil && place == nil { self.place = nil }
        hint = error.hint
    }

    /// The same error, told of an instruction: a place outside of the Dockerfile becomes part of the cause.
    func at(_ location: SourceLocation) -> BuildError {
        var copy = self
        if let place {
            if place.hasPrefix("\(location.file):") { return self }
            copy.cause = cause.map { "\(place): \($0)" } ?? place
        }
        copy.place = location.description
        return copy
    }
}
