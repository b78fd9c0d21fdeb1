// A small tray: what a desktop's panel is to the app. It speaks StatusNotifier and dbusmenu over the session bus
// that DBUS_SESSION_BUS_ADDRESS names.
import dbus from 'dbus-next';

const { Interface } = dbus.interface;
const { Message, Variant } = dbus;

class Watcher extends Interface {
  constructor() {
    super('org.kde.StatusNotifierWatcher');
  }
  RegisterStatusNotifierItem() {}
  RegisterStatusNotifierHost() {}
  get IsStatusNotifierHostRegistered() {
    return true;
  }
  get RegisteredStatusNotifierItems() {
    return [];
  }
  get ProtocolVersion() {
    return 0;
  }
}
Watcher.configureMembers({
  methods: {
    RegisterStatusNotifierItem: { inSignature: 's', outSignature: '' },
    RegisterStatusNotifierHost: { inSignature: 's', outSignature: '' },
  },
  properties: {
    IsStatusNotifierHostRegistered: { signature: 'b', access: dbus.interface.ACCESS_READ },
    RegisteredStatusNotifierItems: { signature: 'as', access: dbus.interface.ACCESS_READ },
    ProtocolVersion: { signature: 'i', access: dbus.interface.ACCESS_READ },
  },
});

/** Notifications that the app sends are taken here too: there is no other service on this bus. */
class Notifications extends Interface {
  constructor(received) {
    super('org.freedesktop.Notifications');
    this.received = received;
  }
  Notify(_app, _replaces, _icon, summary, body) {
    this.received.push({ summary, body });
    return this.received.length;
  }
  GetCapabilities() {
    return ['body'];
  }
  GetServerInformation() {
    return ['tray-host', 'lull', '1', '1.2'];
  }
  CloseNotification() {}
}
Notifications.configureMembers({
  methods: {
    Notify: { inSignature: 'susssasa{sv}i', outSignature: 'u' },
    GetCapabilities: { inSignature: '', outSignature: 'as' },
    GetServerInformation: { inSignature: '', outSignature: 'ssss' },
    CloseNotification: { inSignature: 'u', outSignature: '' },
  },
});

/** Becomes the session's tray. `items()` are those that have registered, each with its sender and path. */
export async function becomeTray() {
  const bus = dbus.sessionBus();
  const items = [];
  const notifications = [];
  // The library answers the method; who called it is only in the message.
  bus.on('message', (message) => {
    if (message.member === 'RegisterStatusNotifierItem' && message.sender) {
      items.push({ sender: message.sender, path: message.body[0] });
    }
  });
  bus.export('/StatusNotifierWatcher', new Watcher());
  bus.export('/org/freedesktop/Notifications', new Notifications(notifications));
  await bus.requestName('org.kde.StatusNotifierWatcher', 0);
  await bus.requestName('org.freedesktop.Notifications', 0);
  return { bus, items, notifications, end: () => bus.disconnect() };
}

/** One icon in the tray. */
export class TrayItem {
  constructor(bus, { sender, path }) {
    this.bus = bus;
    this.sender = sender;
    this.path = path;
  }

  async call(path, iface, member, signature = '', body = []) {
    const message = new Message({ destination: this.sender, path, interface: iface, member, signature, body });
    return (await this.bus.call(message)).body;
  }

  async property(name) {
    const [variant] = await this.call(this.path, 'org.freedesktop.DBus.Properties', 'Get', 'ss', [
      'org.kde.StatusNotifierItem',
      name,
    ]);
    return variant.value;
  }

  /** The menu's lines in their order: id, label, enabled. */
  async menu() {
    const path = await this.property('Menu');
    // A panel asks so before it shows a menu; the app may then bring it up to date.
    const [, layout] = await this.call(path, 'com.canonical.dbusmenu', 'GetLayout', 'iias', [0, -1, []]);
    return layout[2].map(({ value: [id, properties] }) => ({
      id,
      label: properties.label?.value ?? '',
      enabled: properties.enabled?.value ?? true,
      separator: properties.type?.value === 'separator',
    }));
  }

  async click(label) {
    const line = (await this.menu()).find((entry) => entry.label === label);
    if (!line) throw new Error(`the menu has no "${label}"`);
    if (!line.enabled) throw new Error(`"${label}" cannot be clicked`);
    const path = await this.property('Menu');
    await this.call(path, 'com.canonical.dbusmenu', 'Event', 'isvu', [line.id, 'clicked', new Variant('i', 0), 0]);
  }
}
