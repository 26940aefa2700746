import OCI
import RegistryPoller

/// Tags that a registry lists a moment before it can say what they lead to, as CNCF Distribution does: it writes the tag's
/// history before the tag itself, and lists both. Another agent is giving such a name, and the image that has the
/// content's other names would seem to lack it, and would get a second number.
///
/// So nothing is decided by them before they were asked for again. A tag that leads nowhere holds nobody up: its number is
/// taken, and that is all.
struct UnreadTags: Sendable {
    let catalog: TagCatalog
    let clock: any AgentClock

    /// Pauses before each look. The first is over when the scan is.
    private static let pauses: [Duration] = [.zero, .milliseconds(200), .milliseconds(800)]

    /// - Parameter read: what the repository holds, as the catalog knows it now.
    /// - Returns: what it holds after a look at all tags of the pipeline that led nowhere.
    func settle(
        _ pipeline: Pipeline, _ read: () async throws(AgentError) -> PipelineImages
    ) async throws(AgentError) -> PipelineImages {
        var place = try await read()
        for pause in Self.pauses {
            let unread = place.unread(pipeline)
            if unread.isEmpty { break }
            let location = place.location
            try await explained {
                if pause > .zero { try await clock.sleep(for: pause) }
                for tag in unread { try await catalog.lookAgain(at: tag, in: location) }
            }
            place = try await read()
        }
        return place
    }
}
