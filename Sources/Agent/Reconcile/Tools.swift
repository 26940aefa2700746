package import Builder
package import Forge
import Git
package import Registry
package import RegistryPoller

/// What a cycle works with: the effects at its edges.
package struct Tools: Sendable {
    package let mirror: RepositoryMirror
    package let registry: RegistryAccess
    package let builder: Builder
    package let poller: RegistryPoller
    package let index: ManifestIndex
    package let git: AgentConfiguration.GitConfiguration
    /// The code host's API; `nil` where no pull requests are asked for.
    package let forge: (any Forge)?
    package let clock: any AgentClock
    /// Seconds for which a scan of a registry serves other cycles, too.
    package let reuse: Int64

    package init(
        mirror: RepositoryMirror, registry: RegistryAccess, builder: Builder, poller: RegistryPoller,
        index: ManifestIndex, git: AgentConfiguration.GitConfiguration, forge: (any Forge)? = nil,
        clock: any AgentClock = SystemClock(), reuse: Int64 = 0
    ) {
        self.mirror = mirror
        self.registry = registry
        self.builder = builder
        self.poller = poller
        self.index = index
        self.git = git
        self.forge = forge
        self.clock = clock
        self.reuse = reuse
    }

    /// Waits before a lost race is run again: longer each time, and by chance, so that two agents do not meet again.
    func pause(beforeAttempt attempt: Int) async throws(ReconcileError) {
        let milliseconds = Int.random(in: 20...(50 << min(attempt, 6)))
        do {
            try await clock.sleep(for: .milliseconds(milliseconds))
        } catch {
            throw ReconcileError(phase: .publish, underlying: AgentError("interrupted while waiting to push again"))
        }
    }
}
