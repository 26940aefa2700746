import Glibc

/// A counting semaphore of the kernel's.
///
/// `@unchecked Sendable`: the memory is allocated once, never moves, and is only touched through sem_post(3) and sem_wait(3),
/// which any thread may call.
package final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    package init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    package func signal() { sem_post(semaphore) }

    package func wait() { while sem_wait(semaphore) != 0 && errno == EINTR {} }
}
