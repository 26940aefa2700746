package import OCI

/// A blob between a repository and this machine: how much of it was moved, or how that ended.
package struct BlobTransfer: Hashable, Sendable {
    package enum Direction: String, Sendable { case pull, push }

    package enum State: Sendable {
        case underWay
        /// All of it is where it should be.
        case done
        /// It failed, or was not needed after all: what was moved counts for nothing.
        case stopped
    }

    /// One blob may go to several repositories at the same time, and come from another.
    package struct ID: Hashable, Sendable {
        package let direction: Direction
        package let digest: Digest
        package let repository: RepositoryLocation

        package init(_ direction: Direction, _ digest: Digest, _ repository: RepositoryLocation) {
            self.direction = direction
            self.digest = digest
            self.repository = repository
        }
    }

    package let id: ID
    /// Moved so far, counted from the blob's beginning; less than before when it had to begin anew.
    package var bytes: Int64
    /// The blob's size, as its manifest has it.
    package let total: Int64
    package var state: State

    package init(_ id: ID, bytes: Int64, of total: Int64, _ state: State = .underWay) {
        self.id = id
        self.bytes = bytes
        self.total = total
        self.state = state
    }
}
