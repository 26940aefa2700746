import Agent
package import ArgumentParser

/// `slipway` itself: every verb is a subcommand in a file of its own.
package struct RootCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "slipway",
        abstract: "Builds images from git and keeps the manifests that run them up to date.",
        discussion: """
            Slipway watches a git repository. When a Dockerfile or its context changes it builds the image, without a \
            daemon and without privileges, and pushes it; it picks tags by policy, rewrites the annotated manifests and \
            commits them back.

            Exit codes: 0 done, 1 failed, 3 nothing to do (with --exit-code), 64 wrong usage.
            """,
        version: Version.text,
        subcommands: [
            SyncCommand.self, PlanCommand.self, ExplainCommand.self, MigrateCommand.self, AgentCommand.self,
            StatusCommand.self,
            RetryCommand.self, PauseCommand.self, ResumeCommand.self, StopCommand.self, EventsCommand.self,
            BuildsCommand.self, LogsCommand.self, NotifyCommand.self, BuildCommand.self, ExecutorCommand.self,
            WarmCommand.self, CacheCommand.self,
            DockerfileCommand.self,
            ConfigCommand.self, DoctorCommand.self, RegistryCommand.self, PolicyCommand.self, ImageCommand.self,
            UpdateCommand.self,
            WorkloadsCommand.self, ImagesCommand.self, AutomateCommand.self, DeautomateCommand.self, LockCommand.self,
            UnlockCommand.self,
            ReleaseCommand.self,
        ])

    package init() {}
}

/// How results are printed.
package enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json
}
