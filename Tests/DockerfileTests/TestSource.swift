@testable import Dockerfile

/// Parses a text.
func parse(_ text: String) throws(DockerfileError) -> Dockerfile {
    try Dockerfile.parse(Array(text.utf8), file: "Dockerfile")
}

/// The instructions of the only stage, whose FROM is put before the text.
func instructions(_ text: String) throws(DockerfileError) -> [Instruction] {
    try parse("FROM scratch\n" + text).stages[0].instructions
}

/// The only instruction of a text, as a value.
func kind(_ text: String) throws -> Instruction.Kind {
    let all = try instructions(text)
    guard all.count == 1 else { throw WrongCount(text: text, count: all.count) }
    return all[0].kind
}

struct WrongCount: Error {
    let text: String
    let count: Int
}

/// The error that parsing throws; `nil` when it throws none.
func failure(_ text: String) -> DockerfileError? {
    do {
        _ = try parse(text)
        return nil
    } catch {
        return error
    }
}

/// Resolves a file for linux/amd64.
func graph(
    _ text: String, target: String? = nil, arguments: [(String, String)] = [], platform: String = "linux/amd64",
    build: String? = nil, contexts: Set<String> = []
) throws(DockerfileError) -> StageGraph {
    try StageGraph.resolve(
        try parse(text), target: target, buildArguments: arguments, platform: platform, buildPlatform: build,
        namedContexts: contexts)
}

func graphFailure(
    _ text: String, target: String? = nil, arguments: [(String, String)] = [], contexts: Set<String> = []
) -> DockerfileError? {
    do {
        _ = try graph(text, target: target, arguments: arguments, contexts: contexts)
        return nil
    } catch {
        return error
    }
}
