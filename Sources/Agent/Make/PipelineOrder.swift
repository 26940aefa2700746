import Builder
import Dockerfile
import OCI

/// Which pipelines of a repository wait for which others: one that pushes to the same repository gets its tag after the
/// one before, and one whose Dockerfile takes from another's image is built on what that one made. Others go side by side.
actor PipelineOrder {
    private var finished: Set<Int> = []
    private var waiting: [(index: Int, continuation: CheckedContinuation<Void, Never>)] = []
    private let needs: [Set<Int>]

    /// - Parameter sources: for each pipeline the repositories that its Dockerfile takes from; `nil` where that is not
    ///   known, which may be any.
    init(_ pipelines: [Pipeline], sources: [Set<RepositoryLocation>?]) {
        needs = zip(pipelines.indices, zip(pipelines, sources)).map { index, one in
            let (pipeline, sources) = one
            return Set(
                pipelines.indices.prefix(index).filter { other in
                    let made = Set(pipelines[other].destinations.map(\.repository))
                    guard let sources else { return true }
                    return !made.isDisjoint(with: sources)
                        || pipeline.destinations.contains { made.contains($0.repository) }
                })
        }
    }

    /// The pipelines that this one needs.
    func needed(by index: Int) -> Set<Int> { needs[index] }

    /// Returns when all are finished that this one needs.
    func wait(for index: Int) async {
        guard !needs[index].isSubset(of: finished) else { return }
        await withCheckedContinuation { waiting.append((index, $0)) }
    }

    func finish(_ index: Int) {
        finished.insert(index)
        let ready = waiting.filter { needs[$0.index].isSubset(of: finished) }
        waiting.removeAll { needs[$0.index].isSubset(of: finished) }
        for entry in ready { entry.continuation.resume() }
    }
}

extension Pipeline {
    /// The image repositories that a Dockerfile takes from; `nil` where it does not say so for sure.
    func sources(inDockerfile bytes: [UInt8]) -> Set<RepositoryLocation>? {
        guard let named = contextSources, let file = try? Dockerfile.parse(bytes, file: dockerfile),
            let graph = try? StageGraph.resolve(
                file, target: target, buildArguments: arguments.map { ($0.name, $0.value) },
                platform: (platform ?? .host).description, namedContexts: Set(contexts.keys))
        else { return nil }
        var found = named
        for case .image(let name) in graph.externalSources {
            guard let reference = try? Reference(name) else { return nil }
            found.insert(ImageLocation(reference).repository)
        }
        return found
    }

    /// The image repositories that the named contexts stand for; `nil` where that may be any.
    private var contextSources: Set<RepositoryLocation>? {
        var found: Set<RepositoryLocation> = []
        for context in contexts.values {
            switch context {
            case .declared(.image(let image)): found.insert(ImageLocation(image).repository)
            case .configured(.image(let image)): found.insert(image.repository)
            // Another stage's name changes what the Dockerfile takes from.
            case .declared(.stage), .configured(.stage): return nil
            case .declared(.empty), .declared(.git), .declared(.url), .declared(.folder): continue
            case .configured(.context), .configured(.directory), .configured(.git), .configured(.url): continue
            }
        }
        return found
    }
}
