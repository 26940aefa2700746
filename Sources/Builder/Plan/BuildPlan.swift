import Diagnostics
import Dockerfile
import OCI
import Registry

/// Everything about a build that can be known before anything is done: what each needed stage does, with all variables
/// expanded, and the configuration that comes out.
struct BuildPlan: Sendable {
    /// The needed stages, each after those that it needs.
    var stages: [PlannedStage]
    /// Index into the Dockerfile's stages.
    var target: Int
    /// Images and named contexts that COPY takes from, by the name as it is written.
    var sources: [String: PlannedSource]
    var warnings: [String]
    /// What SOURCE_DATE_EPOCH says; `nil` when it is not given.
    var sourceDate: Int64?
    /// Whether a warning fails the build: `# check=error=true`.
    var failsOnWarnings = false

    func stage(_ index: Int) -> PlannedStage? { stages.first { $0.index == index } }

    /// The stages that stand on a stage or take files from it, by that stage.
    var dependents: [Int: [Int]] {
        var found: [Int: [Int]] = [:]
        for stage in stages {
            var needs = Set(stage.steps.flatMap(\.stages))
            if case .stage(let index) = stage.base { needs.insert(index) }
            for need in needs { found[need, default: []].append(stage.index) }
        }
        return found
    }

    /// Whether what is in a stage's files matters from a step on, to the stage itself or to others: to RUN, and to those
    /// that copy from it. All else needs their names only.
    func looksIntoFiles(of index: Int, from step: Int = 0) -> Bool {
        guard let stage = stage(index) else { return false }
        if stage.steps.dropFirst(step).contains(where: \.isRun) { return true }
        return stages.contains { other in
            if other.steps.contains(where: { $0.stages.contains(index) }) { return true }
            guard case .stage(index) = other.base else { return false }
            return looksIntoFiles(of: other.index)
        }
    }

    /// What COPY and mounts take files from.
    func source(of origin: CopyOrigin) throws(BuildError) -> FileOrigin {
        switch origin {
        case .context: return .context
        case .stage(let index): return .stage(index)
        case .named(let name):
            switch sources[name] {
            case .image(let base): return .image(base, name: name)
            case .context: return .namedContext(name)
            case nil: throw BuildError(.dockerfile, "there is no stage, context or image '\(name)'")
            }
        }
    }
}

/// What an origin of COPY or of a mount leads to in a plan.
enum FileOrigin: Sendable {
    /// The build context.
    case context
    case namedContext(String)
    case stage(Int)
    /// An image, under the name that the Dockerfile has for it.
    case image(BaseImage, name: String)
}

struct PlannedStage: Sendable {
    enum Base: Sendable {
        case scratch
        case stage(Int)
        case image(BaseImage)
    }

    /// Position in the Dockerfile.
    let index: Int
    /// The stage's name, or its number.
    let name: String
    let location: SourceLocation
    var base: Base
    var steps: [PlannedStep] = []
    /// What the stage leaves to those that build on it, and to the image.
    var state: StageState
    /// The history of the base's image and stages, then of this one.
    var history: [History]
    /// Bytes of what this stage and those planned before it put into their histories.
    var plannedSize = 0
}

/// A base image whose manifest and configuration are known; its layers may not be here yet.
struct BaseImage: Sendable {
    /// The full reference, as the annotation has it.
    let name: String
    let image: ResolvedImage
}

enum PlannedSource: Sendable {
    case image(BaseImage)
    case context
}

struct PlannedStep: Sendable {
    enum Action: Sendable {
        /// Changes the configuration only.
        case metadata
        case run(RunStep)
        case copy(CopyStep)
        /// Makes the folder, with all above it, for the user of that moment.
        case workdir(path: String, user: String)
    }

    /// The instruction as it is written, on one line.
    let text: String
    let location: SourceLocation
    let action: Action
    /// `nil` for what leaves no history.
    var history: History?
    /// The build checks that are on for it, of those that need the files.
    var checks: Set<LintRule> = []

    /// The stages that files are taken from.
    var stages: Set<Int> {
        func index(_ origin: CopyOrigin) -> Int? { if case .stage(let index) = origin { index } else { nil } }
        switch action {
        case .metadata, .workdir: return []
        case .copy(let copy): return Set([index(copy.origin)].compactMap { $0 })
        case .run(let run):
            return Set(
                run.mounts.compactMap { mount in
                    if case .bind(let origin, _, _) = mount.kind { return index(origin) }
                    return mount.seed.flatMap { index($0.from) }
                })
        }
    }

    var hasLayer: Bool { if case .metadata = action { false } else { true } }
    var isRun: Bool { if case .run = action { true } else { false } }
}

struct RunStep: Sendable {
    var arguments: [String]
    var environment: [(String, String)]
    /// Variables that leave no trace: neither in the history nor in the key.
    var hidden: Set<String> = []
    var workingDirectory: String
    var user: String
    var hasNetwork = true
    /// `nil` takes the usual one.
    var hostname: String?
    /// A script to be mounted at `/dev/pipes/<name>`.
    var script: (name: String, body: [UInt8])?
    var mounts: [StepMount] = []
}

/// Where COPY takes files from.
enum CopyOrigin: Sendable, Hashable {
    case context
    case stage(Int)
    /// An image or a named context: the key of `BuildPlan.sources`.
    case named(String)
}

struct CopyStep: Sendable {
    struct InlineFile: Sendable {
        let name: String
        let content: [UInt8]
    }

    enum Source: Sendable {
        /// A path or a pattern of the origin.
        case path(String)
        case url(String, checksum: Digest?, unpacks: Bool)
        case git(GitLocator, keepsGitDirectory: Bool)
    }

    var origin: CopyOrigin
    var sources: [Source]
    var inlineFiles: [InlineFile]
    /// Absolute; a trailing `/` says that it is a directory.
    var destination: String
    var owner: String?
    var mode: FileModeChange?
    var excludes: [String]
    /// ADD unpacks archives of the context.
    var unpacks: Bool
    /// On an empty root instead of on what the layers below have there.
    var isLinked: Bool
    /// Sources keep the folders that they are in.
    var keepsParents = false

    var takesFromOrigin: Bool { sources.contains { if case .path = $0 { true } else { false } } }
}
