/// What builds are made with, the same for all repositories of an agent.
package struct BuildServices: Sendable {
    package private(set) var builder: any ImageBuilding
    package let queue: BuildQueue
    package let dispatcher: BuildDispatcher
    let naming: NamingTurns
    package let failures: FailureMemory
    /// `nil`: nothing is kept of what builds did.
    package let history: HistoryStore?

    /// - Parameter permit: asked before an image gets a name.
    package init(
        builder: any ImageBuilding, queue: BuildQueue, dispatcher: BuildDispatcher = BuildDispatcher(),
        failures: FailureMemory, history: HistoryStore? = nil, permit: WritePermit = .always
    ) {
        self.builder = builder
        self.queue = queue
        self.dispatcher = dispatcher
        self.failures = failures
        self.history = history
        naming = NamingTurns(permit)
    }

    /// The same with another builder.
    func with(builder: any ImageBuilding) -> BuildServices {
        var copy = self
        copy.builder = builder
        return copy
    }
}
