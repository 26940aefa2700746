import CGit2

/// libgit2's smart transport (gitprotocol-pack(5)) over the streams of a `ServiceProcess` instead of a socket.
enum ServiceTransport {
    /// What `git_remote_callbacks.transport` is to be.
    ///
    /// - Parameter payload: the session, which outlives the transport.
    static func make(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_transport>?>?, owner: OpaquePointer?,
        payload: UnsafeMutableRawPointer?
    ) -> Int32 {
        var definition = git_smart_subtransport_definition()
        definition.rpc = 0
        definition.param = payload
        definition.callback = { out, _, payload in
            guard let out else { return -1 }
            let transport = UnsafeMutablePointer<slipway_git2_service>.allocate(capacity: 1)
            transport.initialize(to: slipway_git2_service())
            transport.pointee.session = payload
            transport.pointee.parent.action = { ServiceTransport.action($0, $1, $3) }
            transport.pointee.parent.close = { transport in
                ServiceTransport.session(transport)?.finishService()
                return 0
            }
            transport.pointee.parent.free = { transport in
                ServiceTransport.session(transport)?.finishService()
                transport?.withMemoryRebound(to: slipway_git2_service.self, capacity: 1) { $0.deallocate() }
            }
            out.pointee = UnsafeMutableRawPointer(transport).assumingMemoryBound(to: git_smart_subtransport.self)
            return 0
        }
        return git_transport_smart(out, owner, &definition)
    }

    private static func session(_ transport: UnsafeMutablePointer<git_smart_subtransport>?) -> RemoteSession? {
        RemoteSession.from(
            transport?.withMemoryRebound(to: slipway_git2_service.self, capacity: 1) { $0.pointee.session })
    }

    /// Begins a conversation, or goes on with the one that there is: what follows an advertisement, and the last flush.
    private static func action(
        _ out: UnsafeMutablePointer<UnsafeMutablePointer<git_smart_subtransport_stream>?>?,
        _ transport: UnsafeMutablePointer<git_smart_subtransport>?, _ action: git_smart_service_t
    ) -> Int32 {
        guard let out, let transport, let session = session(transport) else { return -1 }
        return transport.withMemoryRebound(to: slipway_git2_service.self, capacity: 1) { service in
            if let stream = service.pointee.stream {
                out.pointee = stream
                return 0
            }
            let name: ServiceCommand.Service =
                [GIT_SERVICE_RECEIVEPACK_LS, GIT_SERVICE_RECEIVEPACK].contains(action) ? .receivePack : .uploadPack
            guard session.startService(name) else { return -1 }
            let stream = UnsafeMutablePointer<git_smart_subtransport_stream>.allocate(capacity: 1)
            stream.initialize(to: git_smart_subtransport_stream())
            stream.pointee.subtransport = transport
            stream.pointee.read = { stream, buffer, size, count in
                guard let process = ServiceTransport.session(stream?.pointee.subtransport)?.service else { return -1 }
                let got = process.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: size))
                count?.pointee = max(0, got)
                return got < 0 ? -1 : 0
            }
            stream.pointee.write = { stream, buffer, size in
                guard let process = ServiceTransport.session(stream?.pointee.subtransport)?.service else { return -1 }
                return process.write(UnsafeRawBufferPointer(start: buffer, count: size)) ? 0 : -1
            }
            stream.pointee.free = { stream in
                stream?.pointee.subtransport?.withMemoryRebound(to: slipway_git2_service.self, capacity: 1) {
                    $0.pointee.stream = nil
                }
                stream?.deallocate()
            }
            service.pointee.stream = stream
            out.pointee = stream
            return 0
        }
    }
}
