package import YAML

/// One value that was, or would be, written.
package struct ManifestChange: Sendable, Equatable {
    package var file: String
    package var line: Int
    package var column: Int
    /// `namespace:kind/name`; empty in files that hold no Kubernetes object.
    package var object: String
    package var container: String
    /// The text of the value before and after; whole images only where the value holds one.
    package var old: String
    package var new: String
    /// What asked for it: `policy shop:web:tag`, `workload`, `kustomize nginx`, `helm image.tag`.
    package var setter: String
}

/// Something that was passed over, and why.
package struct ManifestSkip: Sendable, Equatable {
    package var file: String
    package var line: Int?
    package var object: String = ""
    package var container: String = ""
    package var reason: String

    package init(file: String, line: Int? = nil, object: String = "", container: String = "", reason: String) {
        self.file = file
        self.line = line
        self.object = object
        self.container = container
        self.reason = reason
    }
}

/// What a request comes to in one file.
package struct FileUpdate: Sendable, Equatable {
    /// The new content; `nil` when it stays as it is.
    package internal(set) var bytes: [UInt8]?
    /// What was spliced into the old content to make the new one.
    package internal(set) var splices: [Splice] = []
    package internal(set) var changes: [ManifestChange] = []
    package internal(set) var skipped: [ManifestSkip] = []
    /// The requests that found their place here, whether or not they changed it; as the user wrote them.
    package internal(set) var met: Set<String> = []

    package init() {}
}
