import Builder
import OCI
import Synchronization

/// Whether the registries take an image: asked once, when the first has to know.
final class PushCheck: Sendable {
    private let builder: Builder
    private let locations: [ImageLocation]
    private let asking = Mutex<Task<Result<Void, BuildError>, Never>?>(nil)

    init(_ builder: Builder, _ locations: [ImageLocation]) {
        self.builder = builder
        self.locations = locations
    }

    func answer() async throws(BuildError) {
        let (builder, locations) = (builder, locations)
        let task = asking.withLock { asking in
            let task =
                asking
                ?? Task {
                    do throws(BuildError) {
                        try await builder.checkPush(to: locations)
                        return .success(())
                    } catch {
                        return .failure(error)
                    }
                }
            asking = task
            return task
        }
        try await task.value.get()
    }
}
