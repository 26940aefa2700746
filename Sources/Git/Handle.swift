import CGit2
import Synchronization

/// How many libgit2 objects this process owns at the moment. A test holds it against zero.
let liveHandles = Atomic<Int>(0)

/// What kind of libgit2 object a handle owns: the one thing that differs is how it is freed.
protocol HandleKind {
    static func free(_ pointer: OpaquePointer)
}

/// Owns one libgit2 object and frees it exactly once.
struct Handle<Kind: HandleKind>: ~Copyable {
    let pointer: OpaquePointer

    /// Takes what `open` stores, or throws what libgit2 says.
    init(
        _ summary: @autoclosure () -> String, place: String? = nil, _ open: (inout OpaquePointer?) -> Int32
    ) throws(GitError) {
        var made: OpaquePointer?
        let status = open(&made)
        guard status >= 0, let made else { throw .last(status, summary(), place: place) }
        pointer = made
        liveHandles.add(1, ordering: .relaxed)
    }

    deinit {
        Kind.free(pointer)
        liveHandles.subtract(1, ordering: .relaxed)
    }
}

enum RepositoryKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_repository_free(pointer) } }
enum DatabaseKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_odb_free(pointer) } }
enum DatabaseObjectKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_odb_object_free(pointer) } }
enum CommitKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_commit_free(pointer) } }
enum TreeKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_tree_free(pointer) } }
enum ReferenceKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_reference_free(pointer) } }
enum ReferenceIteratorKind: HandleKind {
    static func free(_ pointer: OpaquePointer) { git_reference_iterator_free(pointer) }
}
enum WalkKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_revwalk_free(pointer) } }
enum DiffKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_diff_free(pointer) } }
enum IndexerKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_indexer_free(pointer) } }
enum PackBuilderKind: HandleKind { static func free(_ pointer: OpaquePointer) { git_packbuilder_free(pointer) } }
