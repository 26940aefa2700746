/// What is said of a build beside its state, where a host has place for it.
package struct StatusDetails: Sendable, Hashable {
    /// A line of a file that is the reason.
    package struct Annotation: Sendable, Hashable {
        /// From the repository's top.
        package var path: String
        /// From 1.
        package var line: Int
        package var message: String

        package init(path: String, line: Int, message: String) {
            self.path = path
            self.line = line
            self.message = message
        }
    }

    /// Markdown.
    package var summary: String
    package var annotations: [Annotation]

    package init(summary: String, annotations: [Annotation] = []) {
        self.summary = summary
        self.annotations = annotations
    }
}
