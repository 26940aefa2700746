package import ArgumentParser
import ManifestUpdater

/// `slipway automate`.
package struct AutomateCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "automate",
        abstract: "Let workloads follow new images.",
        discussion: """
            Writes the annotation fluxcd.io/automated: "true" (or sets the one that is there) and commits it.

            EXAMPLE
              slipway automate --repo https://git.example.com/acme/shop.git -w shop:deployment/web
            """)

    @OptionGroup var options: WorkloadPolicyOptions
    package init() {}
    package mutating func validate() throws { _ = try options.identifiers() }
    package mutating func run() async throws { try await options.run(PolicyUpdate(add: ["automated": "true"])) }
}

/// `slipway deautomate`.
package struct DeautomateCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "deautomate",
        abstract: "Let workloads follow new images no more.",
        discussion: """
            Takes the annotation away, under every prefix, and commits that.

            EXAMPLE
              slipway deautomate --repo https://git.example.com/acme/shop.git -w shop:deployment/web -m 'release freeze'
            """)

    @OptionGroup var options: WorkloadPolicyOptions
    package init() {}
    package mutating func validate() throws { _ = try options.identifiers() }
    package mutating func run() async throws { try await options.run(PolicyUpdate(remove: ["automated"])) }
}

/// `slipway lock`.
package struct LockCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "lock",
        abstract: "Keep the images of workloads as they are.",
        discussion: """
            Writes fluxcd.io/locked: "true", with --user and -m as locked_user and locked_msg, and commits it.

            EXAMPLE
              slipway lock --repo https://git.example.com/acme/shop.git -w shop:deployment/web --user ann -m 'v4 is broken'
            """)

    @OptionGroup var options: WorkloadPolicyOptions
    package init() {}
    package mutating func validate() throws { _ = try options.identifiers() }
    package mutating func run() async throws {
        try await options.run(.lock(user: options.user, message: options.message))
    }
}

/// `slipway unlock`.
package struct UnlockCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "unlock",
        abstract: "Let the images of workloads be changed again.",
        discussion: """
            Takes the lock's annotations away and commits that.

            EXAMPLE
              slipway unlock --repo https://git.example.com/acme/shop.git -w shop:deployment/web
            """)

    @OptionGroup var options: WorkloadPolicyOptions
    package init() {}
    package mutating func validate() throws { _ = try options.identifiers() }
    package mutating func run() async throws { try await options.run(.unlock) }
}
