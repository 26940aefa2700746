package import Diagnostics

/// One finding of a build check.
package struct LintWarning: Sendable, Equatable, CustomStringConvertible {
    package var rule: LintRule
    package var message: String
    package var location: SourceLocation
    /// The line with a caret.
    package var excerpt: String?

    package init(_ rule: LintRule, _ message: String, at location: SourceLocation, excerpt: String? = nil) {
        self.rule = rule
        self.message = message
        self.location = location
        self.excerpt = excerpt
    }

    /// As a compiler prints it, the line with a caret below.
    package var description: String {
        "\(location): warning: \(message) (\(rule.rawValue))" + (excerpt.map { "\n\($0)" } ?? "")
    }
}

extension [LintWarning] {
    /// By place; those of one place as they were found.
    var inOrder: [LintWarning] {
        enumerated().sorted { left, right in
            let (first, second) = (left.element.location, right.element.location)
            return (first.line, first.column, left.offset) < (second.line, second.column, right.offset)
        }.map(\.element)
    }
}

package enum LintRule: String, Sendable, CaseIterable {
    case stageNameCasing = "StageNameCasing"
    case fromAsCasing = "FromAsCasing"
    case noEmptyContinuation = "NoEmptyContinuation"
    case consistentInstructionCasing = "ConsistentInstructionCasing"
    case duplicateStageName = "DuplicateStageName"
    case reservedStageName = "ReservedStageName"
    case jsonArgsRecommended = "JSONArgsRecommended"
    case maintainerDeprecated = "MaintainerDeprecated"
    case undefinedArgInFrom = "UndefinedArgInFrom"
    case workdirRelativePath = "WorkdirRelativePath"
    case undefinedVar = "UndefinedVar"
    case multipleInstructionsDisallowed = "MultipleInstructionsDisallowed"
    case legacyKeyValueFormat = "LegacyKeyValueFormat"
    case invalidBaseImagePlatform = "InvalidBaseImagePlatform"
    case redundantTargetPlatform = "RedundantTargetPlatform"
    case secretsUsedInArgOrEnv = "SecretsUsedInArgOrEnv"
    case invalidDefaultArgInFrom = "InvalidDefaultArgInFrom"
    case fromPlatformFlagConstDisallowed = "FromPlatformFlagConstDisallowed"
    case copyIgnoredFile = "CopyIgnoredFile"
    case invalidDefinitionDescription = "InvalidDefinitionDescription"
    case exposeProtoCasing = "ExposeProtoCasing"
    case exposeInvalidFormat = "ExposeInvalidFormat"
    // Slipway's own.
    case heredocLineEnds = "HeredocLineEnds"
    case invalidUTF8 = "InvalidUTF8"
    // Slipway's own, too. What they are about is known when the step is done, by the image's and the context's files.
    case unknownOwner = "UnknownOwner"
    case copyMatchesNothing = "CopyMatchesNothing"

    /// Only run when asked for by `# check=experimental=…`.
    package var isExperimental: Bool { self == .invalidDefinitionDescription }
}
