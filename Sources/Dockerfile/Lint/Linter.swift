import Diagnostics

/// The build checks.
enum Linter {
    static func fromLines(_ dockerfile: Dockerfile, scope: GlobalScope, platform: BuildPlatform) -> [LintWarning] { [] }
}
