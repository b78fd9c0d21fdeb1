/** The dashboard's pages in the order of their links. */
export const pageNames = ['overview', 'tasks', 'payouts', 'receipts', 'settings'] as const;
export type PageName = (typeof pageNames)[number];
