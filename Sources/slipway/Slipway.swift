import ArgumentParser
import CommandLine

/// The executable: what it can be told is in `CommandLine`, what it does in `Agent`.
@main
struct Slipway {
    static func main() async {
        // While this is the only thread.
        ProcessSettings.apply()
        let arguments = Invocation.arguments(Swift.CommandLine.arguments)
        Invocation.takeCertificates(for: arguments)
        Invocation.takeIdentities(for: arguments)
        await RootCommand.main(arguments)
    }
}
