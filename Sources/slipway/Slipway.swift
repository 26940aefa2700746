import Agent
import ArgumentParser
import Glibc

/// The executable: everything that it does is in `Agent`.
@main
struct Slipway {
    static func main() async {
        // A reader that goes away, of a pipe or of a connection, is an error of that write and not the end of the agent.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Invocation.arguments(CommandLine.arguments)
        // While this is the only thread.
        Invocation.takeCertificates(for: arguments)
        Invocation.takeIdentities(for: arguments)
        await RootCommand.main(arguments)
    }
}
