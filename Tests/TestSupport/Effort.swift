import Foundation
package import Testing

extension Trait where Self == ConditionTrait {
    /// More than a few seconds of real builds, servers or races. `make test` runs it; `make test-fast`, which sets
    /// `SLIPWAY_TESTS=fast`, names it as skipped.
    package static var thorough: Self {
        .disabled(if: isFast, "thorough: `make test` runs it, SLIPWAY_TESTS=fast leaves it out")
    }

    private static var isFast: Bool { ProcessInfo.processInfo.environment["SLIPWAY_TESTS"] == "fast" }
}
