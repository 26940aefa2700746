import Agent
import ArgumentParser
import Glibc

/// The executable: everything that it does is in `Agent`.
@main
struct Slipway {
    static func main() async {
        // A reader that goes away, of a pipe or of a connection, is an error of that write and not the end of the agent.
        signal(SIGPIPE, SIG_IGN)
        await RootCommand.main(Invocation.arguments(CommandLine.arguments))
    }
}
