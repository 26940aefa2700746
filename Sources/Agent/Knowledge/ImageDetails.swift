/// One image of the agent's, with what is known of it without asking a registry.
package struct ImageDetails: Codable, Sendable {
    /// A place of a manifest that runs the image, as git says.
    package struct Place: Codable, Sendable, Equatable {
        package var repository: String
        package var workload: String
        package var container: String
        package var file: String
        package var line: Int
        /// The image as it is written there.
        package var image: String
    }

    package var digest: String
    /// Every name that it got.
    package var references: [String]
    package var repository: String
    package var pipeline: String
    /// The build that made it; `nil` when history has it no more, and for an image that only got another name.
    package var build: BuildRecord?
    /// Among the annotated, marked and plain workloads of the watched repositories' heads.
    package var places: [Place] = []

    package init(digest: String, references: [String], repository: String, pipeline: String) {
        self.digest = digest
        self.references = references
        self.repository = repository
        self.pipeline = pipeline
    }
}

/// `/api/v1/images`: the newest image of each pipeline.
package struct NewestImages: Codable, Sendable {
    package struct Image: Codable, Sendable {
        package var repository: String
        package var pipeline: String
        package var references: [String]
        package var digest: String
    }

    package let images: [Image]

    package init(_ overview: AgentOverview) {
        images = overview.repositories.flatMap { status in
            status.lastImages.map { image in
                Image(
                    repository: status.repository, pipeline: image.pipeline, references: image.references,
                    digest: image.digest)
            }
        }
    }
}

/// `/api/v1/queue`.
package struct QueueListing: Codable, Sendable {
    package let queue: [AgentOverview.Build]

    package init(_ overview: AgentOverview) { queue = overview.queue }
}

/// `/api/v1/repositories/NAME/policies`.
package struct PolicyListing: Codable, Sendable {
    package let policies: [Explanation]

    package init(_ policies: [Explanation]) { self.policies = policies }
}
