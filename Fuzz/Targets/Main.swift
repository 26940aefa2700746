import CFuzzer
import Glibc

/// `slipway-fuzz TARGET [libFuzzer's options] [corpus …]`
@main
struct Main {
    /// What libFuzzer's callback, which takes no context, calls.
    nonisolated(unsafe) private static var target: @Sendable ([UInt8]) -> Void = { _ in }

    static let targets: [String: @Sendable ([UInt8]) -> Void] = [
        "dockerfile": fuzzDockerfile,
        "words": fuzzWords,
        "ignore": fuzzIgnore,
        "tar": fuzzTar,
        "layer": fuzzLayer,
        "gzip": fuzzCompression,
        "manifest": fuzzManifest,
    ]

    static func main() {
        guard CommandLine.arguments.count > 1, let chosen = targets[CommandLine.arguments[1]] else {
            print(
                "usage: slipway-fuzz TARGET [options] [corpus]; targets: \(targets.keys.sorted().joined(separator: " "))"
            )
            exit(64)
        }
        target = chosen
        var arguments: [UnsafeMutablePointer<CChar>?] =
            ([CommandLine.arguments[0]] + CommandLine.arguments.dropFirst(2))
            .map { strdup($0) }
        var count = CInt(arguments.count)
        arguments.append(nil)
        arguments.withUnsafeMutableBufferPointer { buffer in
            var base = buffer.baseAddress
            exit(
                LLVMFuzzerRunDriver(&count, &base) { data, size in
                    Main.target(Array(UnsafeBufferPointer(start: data, count: size)))
                    return 0
                })
        }
    }
}

/// Stops the run: the input breaks what always has to hold.
func require(_ condition: Bool, _ what: @autoclosure () -> String) {
    if !condition { fatalError(what()) }
}
