import Agent
import ArgumentParser

/// The executable: everything that it does is in `Agent`.
@main
struct Slipway {
    static func main() async {
        // While this is the only thread.
        ProcessSettings.apply()
        let arguments = Invocation.arguments(CommandLine.arguments)
        Invocation.takeCertificates(for: arguments)
        Invocation.takeIdentities(for: arguments)
        await RootCommand.main(arguments)
    }
}
